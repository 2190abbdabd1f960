/**
 * Gets: the conversation so far, the person's prepared text, the tools on offer.
 * Gives: the model's final words and every message that led to them.
 * Never: talks to a provider, a plugin or the database itself; it is handed the functions.
 */
import { BudgetError, ProviderError } from "../base/errors.ts";
import { createLimiter } from "../base/limiter.ts";
import type { ModelReply, ModelRequest, ToolSpecification } from "../domain/model.ts";
import { readTextFile } from "../domain/file-kind.ts";
import type { FileAttachment } from "../domain/message.ts";
import type { TranscriptFile, TranscriptMessage } from "../domain/session.ts";
import { runRecorded, type StepJournal, toCallStep } from "../domain/step-journal.ts";
import type { ToolCall, ToolResult } from "../domain/tool.ts";

export type GuardedPrompt =
  | { readonly kind: "continue"; readonly content: string }
  | {
      readonly kind: "answer";
      readonly content: string;
      readonly metadata: Readonly<Record<string, string>>;
    };

export interface AgentPorts {
  readonly callModel: (request: ModelRequest) => Promise<ModelReply>;
  /** What a model that is shown these messages of the turn may call. */
  readonly toolsAt: (messages: readonly TranscriptMessage[]) => readonly ToolSpecification[];
  /** Looks at what the model has not been told yet (the person's text, results of tools), before every model call. */
  readonly guardPrompt: (content: string) => Promise<GuardedPrompt>;
  /**
   * Runs one call of `reply` through every gate; `onExecute` is awaited right before the plugin is really asked.
   * `messages` are those of the turn up to that reply, as the model was told them.
   */
  readonly callTool: (
    call: ToolCall,
    reply: ModelReply,
    onExecute: () => Promise<void>,
    messages: readonly TranscriptMessage[],
  ) => Promise<ToolResult>;
  /** Whether repeating the call changes nothing. */
  readonly isReadOnly: (call: ToolCall) => boolean;
  /** Puts a tool's text into the envelope a model is told to distrust. */
  readonly wrapToolResult: (content: string) => string;
  /** Told of every reply that was paid for, also by an earlier run of this turn. */
  readonly onReply: (reply: ModelReply) => void;
  /** Told of the turn's messages so far, before calls of tools begin and after they ended. */
  readonly onMessages?: ((messages: readonly TranscriptMessage[]) => void) | undefined;
  readonly journal: StepJournal;
}

export interface AgentRequest {
  readonly system: string;
  readonly history: readonly TranscriptMessage[];
  readonly userText: string;
  /** What the person sent along; with it the text may be empty. */
  readonly userFiles?: readonly TranscriptFile[];
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
  /** No model could go on, or none may. */
  | { readonly kind: "failed"; readonly error: ProviderError | BudgetError }
  | { readonly kind: "too-many-rounds"; readonly rounds: number };

export interface AgentRun {
  readonly outcome: AgentOutcome;
  /** New messages of the conversation, in order, ending with the final reply when there is one. */
  readonly messages: readonly TranscriptMessage[];
}

/** Whether an earlier run of the turn, ended by a crash, had a reply already, and so may have begun calls. */
export function wasUnderWay(journal: StepJournal): boolean {
  return journal.find(toReplyStep(1)) !== undefined;
}

function toReplyStep(round: number): string {
  return `model:${round}`;
}

const parallelCalls = 8;

/**
 * Asks the model, runs the tools it calls, and asks again, until it answers in words.
 * Rejects when the turn was aborted or the journal could not be written; then nothing may be committed.
 */
export async function runAgent(request: AgentRequest, ports: AgentPorts): Promise<AgentRun> {
  const { userText, userFiles = [] } = request;
  const files = userFiles.length === 0 ? {} : { files: userFiles };
  const messages: TranscriptMessage[] = [{ role: "user", content: userText, ...files }];
  for (let round = 1; round <= request.maxRounds; round += 1) {
    const refused = await guardNews(messages, ports);
    if (refused !== undefined) return { outcome: refused, messages: withholdNews(messages) };
    const asked = await askModel(request, ports, messages, round);
    if (asked.kind === "failed") return { outcome: asked, messages };
    const { reply } = asked;
    ports.onReply(reply);
    messages.push({ role: "assistant", content: reply.text, toolCalls: reply.toolCalls });
    if (reply.toolCalls.length === 0) return { outcome: toOutcome(reply), messages };
    ports.onMessages?.([...messages]);
    messages.push(...(await runCalls(reply, ports, round, [...messages])));
    ports.onMessages?.([...messages]);
  }
  return { outcome: { kind: "too-many-rounds", rounds: request.maxRounds }, messages };
}

function toOutcome({ text }: ModelReply): AgentOutcome {
  return text.trim() === "" ? { kind: "empty" } : { kind: "answered", text };
}

type Asked =
  | { readonly kind: "replied"; readonly reply: ModelReply }
  | Extract<AgentOutcome, { kind: "failed" }>;

async function askModel(
  request: AgentRequest,
  ports: AgentPorts,
  messages: readonly TranscriptMessage[],
  round: number,
): Promise<Asked> {
  const step = toReplyStep(round);
  const earlier = ports.journal.find(step);
  if (earlier?.state === "recorded") return { kind: "replied", reply: earlier.value as ModelReply };
  try {
    const { system, sessionKey } = request;
    const tools = ports.toolsAt(messages);
    const wrapped = [...request.history, ...messages].map((message) =>
      toPromptMessage(message, ports),
    );
    const reply = await ports.callModel({ system, messages: wrapped, tools, sessionKey });
    // The commit of the turn follows a final reply at once and would record the same thing a second time.
    if (reply.toolCalls.length > 0 || request.recordFinalReply)
      await ports.journal.record(step, reply);
    return { kind: "replied", reply };
  } catch (error) {
    if (error instanceof BudgetError) return { kind: "failed", error };
    if (!(error instanceof ProviderError) || error.reason === "cancelled") throw error;
    return { kind: "failed", error };
  }
}

/**
 * Has the guards look at what the model is about to be told for the first time. What they change stays changed, in this
 * turn and in the conversation: what a guard took out must not reach a model with the next call.
 */
async function guardNews(
  messages: TranscriptMessage[],
  ports: AgentPorts,
): Promise<Extract<AgentOutcome, { kind: "refused" }> | undefined> {
  for (let index = findNews(messages); index < messages.length; index += 1) {
    const message = messages[index];
    if (message === undefined) break;
    const guarded = await ports.guardPrompt(message.content);
    if (guarded.kind === "answer") return { ...guarded, kind: "refused" };
    const said = { ...message, content: guarded.content };
    messages[index] = said;
    if (said.role !== "user" || said.files === undefined) continue;
    const files = await guardFiles(said.files, ports);
    if (files.kind === "answer") return { ...files, kind: "refused" };
    messages[index] = { ...said, files: files.files };
  }
  return undefined;
}

type GuardedFiles =
  | { readonly kind: "continue"; readonly files: readonly TranscriptFile[] }
  | Extract<GuardedPrompt, { kind: "answer" }>;

/** The model reads text files as it reads the person's words, so the guards do as well. */
async function guardFiles(
  files: readonly TranscriptFile[],
  ports: AgentPorts,
): Promise<GuardedFiles> {
  const result: TranscriptFile[] = [];
  for (const file of files) {
    const readable = file.data === undefined ? undefined : readTextFile(file);
    if (readable === undefined) {
      result.push(file);
      continue;
    }
    const guarded = await ports.guardPrompt(readable.text);
    if (guarded.kind === "answer") return guarded;
    const isChanged = guarded.content !== readable.text;
    result.push(isChanged ? withText(file, guarded.content) : file);
  }
  return { kind: "continue", files: result };
}

function withText({ name, mimeType }: TranscriptFile, text: string): FileAttachment {
  return { name, mimeType, data: Buffer.from(text.toWellFormed(), "utf8") };
}

/** Where begins what the model has not been told yet: the person's text, or the results of the last round. */
function findNews(messages: readonly TranscriptMessage[]): number {
  let start = messages.length - 1;
  while (messages[start]?.role === "tool" && messages[start - 1]?.role === "tool") start -= 1;
  return start;
}

/** What a guard did not let through to the model must not come back from the history of the next turn. */
function withholdNews(messages: readonly TranscriptMessage[]): readonly TranscriptMessage[] {
  const start = findNews(messages);
  return messages.map((message, index) =>
    index < start || message.role !== "tool"
      ? message
      : { ...message, content: "error: withheld by a guard", isError: true },
  );
}

function toPromptMessage(message: TranscriptMessage, ports: AgentPorts): TranscriptMessage {
  if (message.role !== "tool") return message;
  return { ...message, content: ports.wrapToolResult(message.content) };
}

/**
 * Runs the calls of one reply side by side. Once a step could not be recorded no other one begins: the turn will be
 * run again, and what began twice could take effect twice.
 */
async function runCalls(
  reply: ModelReply,
  ports: AgentPorts,
  round: number,
  messages: readonly TranscriptMessage[],
): Promise<readonly TranscriptMessage[]> {
  const limit = createLimiter(parallelCalls);
  let failure: { readonly error: unknown } | undefined;
  const stopAfterFailure = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  const runOne = async (call: ToolCall, index: number): Promise<ToolResult> => {
    stopAfterFailure();
    return runRecorded(ports.journal, {
      step: toCallStep(round, index),
      isReadOnly: ports.isReadOnly(call),
      run: (begin) =>
        ports.callTool(
          call,
          reply,
          async () => {
            stopAfterFailure();
            await begin();
          },
          messages,
        ),
    });
  };
  const results = await Promise.all(
    reply.toolCalls.map((call, index) =>
      limit(() =>
        runOne(call, index).catch((error: unknown): undefined => {
          failure ??= { error };
        }),
      ),
    ),
  );
  stopAfterFailure();
  return reply.toolCalls.map((call, index): TranscriptMessage => {
    const result: ToolResult = results[index] ?? { content: "", isError: true };
    return { role: "tool", callId: call.id, tool: call.name, ...result };
  });
}
