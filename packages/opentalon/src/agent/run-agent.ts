/**
 * Gets: the conversation so far, the person's prepared text, the tools on offer.
 * Gives: the model's final words and every message that led to them.
 * Never: talks to a provider, a plugin or the database itself; it is handed the functions.
 */
import { ProviderError } from "../base/errors.ts";
import { createLimiter } from "../base/limiter.ts";
import type { ModelReply, ModelRequest, ToolSpecification } from "../domain/model.ts";
import type { TranscriptMessage } from "../domain/session.ts";
import type { ToolCall, ToolResult } from "../domain/tool.ts";

/** What an earlier run of this turn left behind for one step. */
export type StepRecord =
  | { readonly state: "started" }
  | { readonly state: "recorded"; readonly value: unknown };

/** The agent's view of the journal: steps of one turn, by name. */
export interface StepJournal {
  readonly find: (step: string) => StepRecord | undefined;
  readonly begin: (step: string) => Promise<void>;
  readonly record: (step: string, value: unknown) => Promise<void>;
}

export type GuardedPrompt =
  | { readonly kind: "continue"; readonly content: string }
  | {
      readonly kind: "answer";
      readonly content: string;
      readonly metadata: Readonly<Record<string, string>>;
    };

export interface AgentPorts {
  readonly callModel: (request: ModelRequest) => Promise<ModelReply>;
  /** Looks at what the model is about to be told last (a person's text, a tool's result), before every model call. */
  readonly guardPrompt: (content: string) => Promise<GuardedPrompt>;
  /** Runs one call through every gate; `onExecute` is awaited right before the plugin is really asked. */
  readonly callTool: (call: ToolCall, onExecute: () => Promise<void>) => Promise<ToolResult>;
  /** Whether repeating the call changes nothing. */
  readonly isReadOnly: (call: ToolCall) => boolean;
  /** Puts a tool's text into the envelope a model is told to distrust. */
  readonly wrapToolResult: (content: string) => string;
  /** Told of every reply that was paid for, also by an earlier run of this turn. */
  readonly onReply: (reply: ModelReply) => void;
  readonly journal: StepJournal;
}

export interface AgentRequest {
  readonly system: string;
  readonly history: readonly TranscriptMessage[];
  readonly userText: string;
  readonly tools: readonly ToolSpecification[];
  readonly sessionKey: string;
  readonly maxRounds: number;
  /** Record the final reply too; needed when steps follow that must not see another wording after a crash. */
  readonly recordFinalReply: boolean;
}

export type AgentOutcome =
  | { readonly kind: "answered"; readonly text: string }
  | { readonly kind: "empty" }
  /** A guard ended the turn with these words. */
  | {
      readonly kind: "refused";
      readonly content: string;
      readonly metadata: Readonly<Record<string, string>>;
    }
  /** No model could go on. */
  | { readonly kind: "failed"; readonly error: ProviderError }
  | { readonly kind: "too-many-rounds"; readonly rounds: number };

export interface AgentRun {
  readonly outcome: AgentOutcome;
  /** New messages of the conversation, in order, ending with the final reply when there is one. */
  readonly messages: readonly TranscriptMessage[];
}

const parallelCalls = 8;

/**
 * Asks the model, runs the tools it calls, and asks again, until it answers in words.
 * Rejects when the turn was aborted or the journal could not be written; then nothing may be committed.
 */
export async function runAgent(request: AgentRequest, ports: AgentPorts): Promise<AgentRun> {
  const messages: TranscriptMessage[] = [{ role: "user", content: request.userText }];
  for (let round = 1; round <= request.maxRounds; round += 1) {
    const asked = await askModel(request, ports, messages, round);
    if (asked.kind !== "replied") return { outcome: asked, messages };
    const { reply } = asked;
    ports.onReply(reply);
    messages.push({ role: "assistant", content: reply.text, toolCalls: reply.toolCalls });
    if (reply.toolCalls.length === 0) {
      const isEmpty = reply.text.trim() === "";
      return {
        outcome: isEmpty ? { kind: "empty" } : { kind: "answered", text: reply.text },
        messages,
      };
    }
    const results = await runCalls(reply.toolCalls, ports, round);
    for (const [index, call] of reply.toolCalls.entries()) {
      const result = results[index] ?? unknownOutcome;
      messages.push({ role: "tool", callId: call.id, tool: call.name, ...result });
    }
  }
  return { outcome: { kind: "too-many-rounds", rounds: request.maxRounds }, messages };
}

type Asked =
  | { readonly kind: "replied"; readonly reply: ModelReply }
  | Extract<AgentOutcome, { kind: "failed" | "refused" }>;

async function askModel(
  request: AgentRequest,
  ports: AgentPorts,
  messages: readonly TranscriptMessage[],
  round: number,
): Promise<Asked> {
  const step = `model:${round}`;
  const earlier = ports.journal.find(step);
  if (earlier?.state === "recorded") return { kind: "replied", reply: earlier.value as ModelReply };
  const prompt = [...request.history, ...messages].map((message) =>
    toPromptMessage(message, ports),
  );
  const last = prompt.at(-1);
  if (last !== undefined) {
    const guarded = await ports.guardPrompt(last.content);
    if (guarded.kind === "answer") return { ...guarded, kind: "refused" };
    prompt[prompt.length - 1] = { ...last, content: guarded.content };
  }
  try {
    const { system, tools, sessionKey } = request;
    const reply = await ports.callModel({ system, messages: prompt, tools, sessionKey });
    // The commit of the turn follows a final reply at once and would record the same thing a second time.
    if (reply.toolCalls.length > 0 || request.recordFinalReply)
      await ports.journal.record(step, reply);
    return { kind: "replied", reply };
  } catch (error) {
    if (!(error instanceof ProviderError) || error.reason === "cancelled") throw error;
    return { kind: "failed", error };
  }
}

function toPromptMessage(message: TranscriptMessage, ports: AgentPorts): TranscriptMessage {
  if (message.role !== "tool") return message;
  return { ...message, content: ports.wrapToolResult(message.content) };
}

const unknownOutcome: ToolResult = {
  content:
    "error: the outcome of this call is unknown: OpenTalon was interrupted while it ran. It may or may not have taken effect. Do not repeat it blindly; check first or ask the person.",
  isError: true,
};

function runCalls(
  calls: readonly ToolCall[],
  ports: AgentPorts,
  round: number,
): Promise<readonly ToolResult[]> {
  const limit = createLimiter(parallelCalls);
  return Promise.all(
    calls.map((call, index) => limit(() => runCall(call, ports, `tool:${round}:${index + 1}`))),
  );
}

async function runCall(call: ToolCall, ports: AgentPorts, step: string): Promise<ToolResult> {
  const earlier = ports.journal.find(step);
  if (earlier?.state === "recorded") return earlier.value as ToolResult;
  if (earlier?.state === "started" && !ports.isReadOnly(call)) {
    await ports.journal.record(step, unknownOutcome);
    return unknownOutcome;
  }
  const result = await ports.callTool(call, () => ports.journal.begin(step));
  await ports.journal.record(step, result);
  return result;
}
