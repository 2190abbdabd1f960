import { randomBytes } from "node:crypto";
import { buildSystemPrompt } from "../agent/build-system-prompt.ts";
import { runAgent, wasUnderWay, type AgentRun } from "../agent/run-agent.ts";
import type { Clock } from "../base/clock.ts";
import { createIdentifier } from "../base/identifier.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/load-config.ts";
import { toActor } from "../domain/actor.ts";
import type { ChannelCapabilities } from "../domain/channel.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { Model } from "../domain/model.ts";
import type { StepJournal } from "../domain/step-journal.ts";
import type { Turn, TurnObserver } from "../domain/turn.ts";
import { runFormatters } from "../hooks/run-formatters.ts";
import { runPreparers, type PreparerPorts } from "../hooks/run-preparers.ts";
import { toScriptName } from "../hooks/run-script.ts";
import { toSearchContext } from "../hooks/to-search-context.ts";
import { largestAudioBytes, transcribeAudio } from "../hooks/transcribe-audio.ts";
import { runCommand } from "../inbound/run-command.ts";
import type { DeliveryLoop } from "../orchestrator/delivery.ts";
import { privateMetadata } from "../orchestrator/hook-notes.ts";
import type { AnswerRequest, TurnStages } from "../orchestrator/turn-stages.ts";
import type { PayingTurn } from "../providers/budgets/budget-guard.ts";
import { toUsageCost } from "../providers/budgets/pricing.ts";
import type { Route } from "../routing/router.ts";
import { openStepJournal } from "../store/open-step-journal.ts";
import type { Store } from "../store/ports.ts";
import { createEnvelope } from "../tools/guard/envelope.ts";
import { createTripwire } from "../tools/tripwire.ts";
import type { Access } from "./assemble-access.ts";
import { assembleBudgets } from "./assemble-budgets.ts";
import type { Models } from "./assemble-models.ts";
import type { Tools } from "./assemble-tools.ts";
import type { Scripts } from "./assemble-scripts.ts";
import { createHookNotes } from "./hook-notes.ts";
import { toHookSteps } from "./hook-steps.ts";

export interface AssembleTurnOptions {
  readonly config: Config;
  readonly showConfig: () => string;
  readonly store: Store;
  readonly models: Models;
  readonly tools: Tools;
  readonly scripts: Scripts;
  readonly delivery: DeliveryLoop;
  readonly commands: Access["commands"];
  readonly capabilitiesOf: (channel: string) => ChannelCapabilities;
  /** See `Channel.formatWords`. */
  readonly formatWords: (channel: string, words: string) => string;
  readonly observe: TurnObserver;
  readonly clock: Clock;
  readonly log: Log;
}

/** Accounting for a model the configuration no longer knows, after a restart with another file. */
const freeModel = { cost: { input: 0, output: 0 } };

/** Hands the stages of a turn what they need. */
export function assembleTurn(options: AssembleTurnOptions): TurnStages {
  const { config, store, models, tools, scripts, delivery, clock, log } = options;
  const { router, routing } = models;
  const isTrusted = (plugin: string): boolean => {
    const script = toScriptName(plugin);
    if (script !== undefined) return scripts.isTrusted(script);
    const key = tools.configKeyOf(plugin);
    return key !== undefined && config.plugins[key]?.insecure === false;
  };
  const notes = createHookNotes();
  const observe: TurnObserver = (turn, event) => {
    notes.observe(turn, event);
    options.observe(turn, event);
  };
  const steps = toHookSteps(config, isTrusted);
  const formatters = config.orchestrator.responseFormatters;

  const { isOperator } = options.commands;
  const budgets = assembleBudgets({
    config,
    store: store.budgets,
    models: router.models,
    clock,
    log,
  });
  const toPayingTurn = ({ id, attempt, sessionKey, message }: Turn): PayingTurn => ({
    id,
    attempt,
    sessionKey,
    actor: toActor(message),
  });

  const hookPorts = (turn: Turn, journal: StepJournal, signal: AbortSignal): PreparerPorts => ({
    callAction: tools.callHookAction(turn, signal),
    invokeAction: tools.callHookAction(turn, signal, { actsForPerson: true }),
    isReadOnly: tools.isHookActionReadOnly,
    journal,
    callScript: scripts.callScript({
      turn,
      responseFormat: options.capabilitiesOf(turn.message.channel).responseFormat,
      callModel: budgets.spend(toPayingTurn(turn), models.callModel),
      router,
      onReply: (reply) => notes.addReply(turn, reply),
      signal,
      log: log.child({ trace: turn.id }),
    }),
    metadata: toVisibleMetadata(turn.message),
    onHook: (record) => observe(turn, { kind: "hook-finished", ...record }),
    log: log.child({ trace: turn.id }),
  });

  const answer = async (request: AnswerRequest): Promise<AgentRun> => {
    const { turn, session, text, route, journal, signal } = request;
    const capabilities = options.capabilitiesOf(turn.message.channel);
    const offer = tools.offer(request.history);
    const system = buildSystemPrompt({
      rules: config.orchestrator.rules,
      pluginAdditions: tools.promptAdditions(),
      toolCatalogue: offer.catalogue,
      responseFormatPrompt: capabilities.responseFormatPrompt,
      overrides: config.orchestrator.promptOverrides,
    });
    const envelope = createEnvelope({ random: randomBytes });
    const callModel = budgets.spend(toPayingTurn(turn), models.callModel);
    const { guards } = steps.of(turn.message.channel);
    const tripwire = createTripwire({
      session,
      message: turn.message,
      actor: toActor(turn.message),
      isResumed: wasUnderWay(journal),
      watchesOutputs: config.orchestrator.tripwire !== "off",
    });
    return runAgent(
      {
        system,
        history: request.history,
        userText: text === "" ? toClickedWord(turn.message.metadata) : text,
        userFiles: request.files,
        sessionKey: session.key,
        maxRounds: config.agent.maxRounds,
        recordFinalReply: request.recordFinalReply,
      },
      {
        callModel: (modelRequest) =>
          callModel({
            models: route.models,
            request: modelRequest,
            signal,
            onText: (delta) => observe(turn, { kind: "text-delta", text: delta }),
            onReset: () => observe(turn, { kind: "text-reset" }),
            onModel: ({ name }) => observe(turn, { kind: "model-started", model: name }),
          }),
        callTool: async (call, reply, onExecute, messages) => {
          const startedAtMs = clock.now();
          observe(turn, { kind: "tool-started", callId: call.id, tool: call.name });
          const nativeTools = router.resolve(reply.model)?.nativeTools !== false;
          const result = await tools.callForModel(turn, call, {
            nativeTools,
            callable: offer.callableAt(messages),
            signal,
            tripwire: (suspect, mustAsk) => tripwire.judge(suspect, messages, mustAsk),
            onExecute,
            onNested: (event) => observe(turn, event),
          });
          const durationMs = clock.now() - startedAtMs;
          observe(turn, {
            kind: "tool-finished",
            callId: call.id,
            tool: call.name,
            isError: result.isError,
            durationMs,
          });
          return result;
        },
        toolsAt: offer.toolsAt,
        isReadOnly: ({ name }) => tools.isReadOnly(name),
        wrapToolResult: envelope.wrap,
        guardPrompt: (content) => runPreparers(guards, content, hookPorts(turn, journal, signal)),
        onReply: request.onReply,
        onMessages: request.onMessages,
        journal,
      },
    );
  };

  return {
    loadSession: (turn) =>
      store.sessions.load(turn.sessionKey, config.state.session.contextMessages),
    openJournal: (turn) => openStepJournal(store.journal, turn),
    runCommand: async (message, session) => {
      const outcome = runCommand(message, session, {
        resolveModel: router.resolve,
        models: router.models,
        currentModel: ({ pinnedModel }) => firstOf(router.rank({ pinnedModel })),
        judgeByChoice: routing.judgeByChoice,
        describeBudget: () =>
          budgets.describe(
            { sessionKey: session.key, actor: toActor(message) },
            isOperator(message),
          ),
        showConfig: options.showConfig,
        ...options.commands,
      });
      if (outcome?.report === undefined) return outcome;
      return { ...outcome, text: await outcome.report() };
    },
    prepare: async (turn, text, journal, signal, session) => {
      const { transcribers, preparers } = steps.of(turn.message.channel);
      const ports = hookPorts(turn, journal, signal);
      const maxAudioBytes = toMaxAudioBytes(tools.maxMessageBytes);
      const spoken = await transcribeAudio(
        transcribers,
        { text, files: turn.message.files },
        {
          callAction: tools.callHookAction(turn, signal, {
            maxArgumentBytes: tools.maxMessageBytes,
          }),
          log: ports.log,
          maxAudioBytes,
        },
      );
      const searchContext = toSearchContext(session.messages);
      const outcome = await runPreparers(preparers, spoken.text, { ...ports, searchContext });
      const { transcribed } = spoken;
      return outcome.kind === "answer" || transcribed.length === 0
        ? outcome
        : { ...outcome, transcribed };
    },
    hasPreparers: steps.hasPreparers,
    readIntent: routing.readIntent,
    hasModel: (name) => router.resolve(name) !== undefined,
    rank: (question) => routing.rank(question, tools.offeredCount()),
    toRouting: routing.toRouting,
    onJudged: routing.onJudged,
    answer,
    format: (turn, text, journal, signal) => {
      const { responseFormat } = options.capabilitiesOf(turn.message.channel);
      const ports = hookPorts(turn, journal, signal);
      return runFormatters(formatters, text, responseFormat, {
        ...ports,
        isTrustedScript: scripts.isTrusted,
      });
    },
    notesOf: notes.of,
    hasFormatters: formatters.length > 0,
    formatWords: ({ message }, words) => options.formatWords(message.channel, words),
    toUsageRow: (turn, { model, usage, toolCalls }) => ({
      sessionKey: turn.sessionKey,
      actor: toActor(turn.message),
      channel: turn.message.channel,
      model,
      ...usage,
      toolCalls: toolCalls.length,
      ...toUsageCost(usage, router.resolve(model) ?? freeModel),
    }),
    findNotices: (turn) => budgets.findNotices(toPayingTurn(turn)),
    commit: (commit) =>
      store.commitTurn({ ...commit, budget: budgets.toCommit(commit.entry.sessionKey) }),
    deliver: delivery.deliver,
    observe,
    createReference: createIdentifier,
    now: clock.now,
    log,
  };
}

/** A click on a button under a question says a word, which a model has to hear. */
function toClickedWord({ confirmation = "" }: InboundMessage["metadata"]): string {
  if (confirmation === "approve") return "yes";
  return confirmation === "reject" ? "no" : "";
}

/** What is left of a message to a plugin when a sound in it takes four bytes for three. */
function toMaxAudioBytes(maxMessageBytes: number): number {
  const envelopeBytes = 4_096;
  return Math.min(largestAudioBytes, Math.floor(((maxMessageBytes - envelopeBytes) / 4) * 3));
}

/** What is kept from the outside is kept from scripts as well. */
function toVisibleMetadata({ metadata }: InboundMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !privateMetadata.has(key)));
}

function firstOf({ models: [first] }: Route): Model {
  if (first === undefined) throw new Error("a route is never empty");
  return first;
}
