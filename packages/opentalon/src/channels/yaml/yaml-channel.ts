import { createBackoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { ChannelError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { createSecret } from "../../base/secret.ts";
import type {
  Channel,
  ChannelCapabilities,
  ChannelHost,
  ChannelTool,
} from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import { formatWords } from "../format/format-message.ts";
import { createBackgroundCalls } from "./background-calls.ts";
import { createConversationMemory } from "./conversation-memory.ts";
import type { ChannelDefinition } from "./definition.ts";
import { createMessageDelivery } from "./deliver-message.ts";
import { createEnrichEvent } from "./enrich-event.ts";
import { toText } from "./field-path.ts";
import { createHttpCaller, RefusedError } from "./http-call.ts";
import { toHookScope } from "./message-scope.ts";
import { placeWebhook } from "./place-webhook.ts";
import { startPollingIntake } from "./polling-intake.ts";
import { createSentMemory } from "./sent-memory.ts";
import { createSessionValues } from "./session-values.ts";
import { createEventIntake, type GivenMessage } from "./take-event.ts";
import { createVerifyToken } from "./verify-token.ts";
import type { ChannelMemory } from "./written-value.ts";
import {
  type IntakeOptions,
  type RunningIntake,
  startWebSocketIntake,
} from "./websocket-intake.ts";

export interface YamlChannelOptions {
  /** Instance name: the key under `channels:`. */
  readonly name: string;
  readonly definition: ChannelDefinition;
  /** The entry's `config`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Of the program; the channel sees only what its definition asks for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly memory: ChannelMemory;
  /** Whether the HTTP door knows its callers by other means than a signature (see `HttpRequest.isTrusted`). */
  readonly doorChecksCallers: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export interface YamlChannel extends Channel {
  /** Tools the definition describes. */
  readonly tools: () => readonly ChannelTool[];
}

const drainPatienceMs = 2_000;
/** The other channels do not wait longer for a platform that is slow. */
const startPatienceMs = 5_000;

/**
 * A platform as a YAML file describes it.
 * @throws ChannelError CHANNEL_MISCONFIGURED when what it takes in comes from anybody.
 */
export function createYamlChannel(options: YamlChannelOptions): YamlChannel {
  const { name, definition, config, environment, memory, doorChecksCallers, clock, log } = options;
  const { inbound, outbound, connection } = definition;
  for (const problem of findMissing(definition, environment)) log.warn(problem);
  hideCredentials(definition, environment);
  const caller = createHttpCaller(clock);
  const values = createSessionValues({
    definition,
    config,
    environment: (key) => environment[key],
    caller,
    clock,
    log,
  });
  for (const key of definition.requiredConfig) {
    if (toText(values.scope["config"]?.(key)) === "") throw missingSetting(name, key, definition);
  }
  const sent = createSentMemory(memory, clock, log);
  const conversations = createConversationMemory(inbound.remember, memory, clock, log);
  const hooks = createBackgroundCalls(values, log);
  const capabilities = toCapabilities(definition);
  const delivery = createMessageDelivery({
    definition,
    capabilities,
    values,
    sent,
    conversations,
    hooks,
    clock,
    log,
  });
  let host: ChannelHost | undefined;

  const tell = async (message: GivenMessage, words: string, errorCode: string): Promise<void> => {
    const { conversationId, threadId, metadata, platformMessageId } = message;
    const { profile_token: _, ...returned } = metadata;
    const answer: OutboundMessage = {
      channel: name,
      conversationId,
      threadId,
      content: words,
      files: [],
      metadata: {
        ...returned,
        type: "error",
        error_code: errorCode,
        in_reply_to: platformMessageId,
      },
    };
    try {
      await delivery.send(answer, `told:${platformMessageId}`);
    } catch (error) {
      log.warn(
        { problem: toMessage(error) },
        "a person could not be told that a message was not taken",
      );
    }
  };

  const intake = createEventIntake({
    definition,
    values,
    enrich: createEnrichEvent(inbound.enrich, values, clock),
    sent,
    host: () => host,
    tell,
    onStored: (message) => hooks.add(definition.onReceive, toHookScope(message)),
    conversations,
    clock,
    log,
  });
  const routes =
    inbound.webhook === undefined
      ? []
      : [
          placeWebhook(inbound.webhook, {
            name,
            values,
            verifyToken:
              inbound.webhook.jwt &&
              createVerifyToken({ rules: inbound.webhook.jwt, scope: values.scope, caller, clock }),
            intake,
            isOpen: () => host !== undefined,
            doorChecksCallers,
            clock,
            log,
          }),
        ];

  const stopping = new AbortController();
  let running: RunningIntake | undefined;
  let beginning: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;
  let disposed: Promise<void> | undefined;

  const begin = async (): Promise<void> => {
    await values.runInit(undefined, stopping.signal);
    const parts: IntakeOptions = { definition, values, intake, clock, log };
    if (inbound.polling !== undefined) {
      running = await startPollingIntake(inbound.polling, memory, parts);
    } else if (inbound.webhook === undefined && connection !== undefined) {
      running = await startWebSocketIntake(connection, parts);
    }
    if (stopping.signal.aborted) await running?.stop();
  };

  const stopIntake = async (): Promise<void> => {
    stopping.abort();
    await beginning;
    await running?.stop();
    host = undefined;
    // Files and lookups under way may take long; what is not stored by then comes again.
    const patience = new AbortController();
    await Promise.race([intake.idle(), clock.sleep(drainPatienceMs, patience.signal)]);
    patience.abort();
  };

  /** Why the platform was not reached so far. */
  let startProblem: string | undefined;

  /** A platform that is away while the program starts is no reason to do without it for good. */
  const beginLater = async (): Promise<void> => {
    const backoff = createBackoff({ initialMs: 1_000, maxMs: 60_000, jitter: 0.2 });
    for (;;) {
      await clock.sleep(backoff.nextMs(), stopping.signal);
      if (stopping.signal.aborted) return;
      try {
        await begin();
        startProblem = undefined;
        log.info({ platform: definition.id }, "Channel ready");
        return;
      } catch (error) {
        if (stopping.signal.aborted) return;
        startProblem = `the platform cannot be reached: ${toMessage(error)}`;
        log.warn({ problem: toMessage(error) }, "the platform cannot be reached");
      }
    }
  };

  const dispose = async (): Promise<void> => {
    await (stopped ??= stopIntake());
    delivery.close();
    caller.close();
    await hooks.idle();
    await sent.close();
    await conversations.close();
  };

  return {
    name,
    kind: definition.id,
    capabilities: () => capabilities,
    routes,
    tools: () => definition.tools,
    start: async (channelHost) => {
      host = channelHost;
      await sent.load();
      await conversations.load();
      const attempt = begin().then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      const patience = new AbortController();
      const late = clock.sleep(startPatienceMs, patience.signal).then(() => "late" as const);
      const outcome = await Promise.race([attempt, late]);
      patience.abort();
      if (outcome === undefined) return log.info({ platform: definition.id }, "Channel ready");
      if (outcome !== "late" && isFinal(outcome.error)) {
        host = undefined;
        throw outcome.error;
      }
      const problem = outcome === "late" ? "it does not answer" : toMessage(outcome.error);
      log.warn({ problem }, "the platform cannot be reached yet; the start goes on without it");
      startProblem = `the platform cannot be reached yet: ${problem}`;
      beginning = attempt.then((failed) => {
        if (failed !== undefined) return beginLater();
        startProblem = undefined;
        log.info({ platform: definition.id }, "Channel ready");
        return undefined;
      });
    },
    findProblem: () => startProblem,
    stopIntake: () => (stopped ??= stopIntake()),
    split: delivery.split,
    formatWords: (words) => formatWords(words, capabilities),
    send: delivery.send,
    ...(outbound.typing === undefined && !definition.capabilities.edits
      ? {}
      : { show: delivery.show }),
    [Symbol.asyncDispose]: () => (disposed ??= dispose()),
  };
}

/** The platform answered and said no: trying again would bring the same. */
function isFinal(error: unknown): boolean {
  const { cause } = error as { cause?: unknown };
  if (!(cause instanceof RefusedError)) return false;
  return cause.retryAfterMs === undefined && cause.status < 500 && cause.status !== 429;
}

function toCapabilities({ capabilities, outbound }: ChannelDefinition): ChannelCapabilities {
  const lengths = [capabilities.maxMessageLength, outbound.chunkLength].filter(
    (length) => length > 0,
  );
  return {
    ...capabilities,
    edits: capabilities.edits && outbound.update !== undefined,
    maxMessageLength: lengths.length === 0 ? 0 : Math.min(...lengths),
  };
}

function findMissing(
  { requiredEnv, file }: ChannelDefinition,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  return requiredEnv
    .filter((name) => (environment[name] ?? "") === "")
    .map((name) => `${file} needs the environment variable ${name}, which is not set`);
}

/** What the definition takes out of the environment and looks like a credential never stands in the log. */
function hideCredentials(
  { environmentNames }: ChannelDefinition,
  environment: Readonly<Record<string, string | undefined>>,
): void {
  for (const name of environmentNames) {
    const value = environment[name] ?? "";
    if (/TOKEN|SECRET|PASSWORD|PASS|KEY|CREDENTIAL|AUTH/i.test(name) && value !== "")
      createSecret(value);
  }
}

function missingSetting(
  name: string,
  key: string,
  { configDefaults }: ChannelDefinition,
): ChannelError {
  const variable = /\{\{env\.([^}]+)\}\}/.exec(configDefaults[key]?.text ?? "")?.[1];
  const other = variable === undefined ? "" : `, or the environment variable ${variable}`;
  return misconfigured(`channel ${name}: set config.${key}${other}`);
}

function misconfigured(message: string): ChannelError {
  return new ChannelError("CHANNEL_MISCONFIGURED", message);
}
