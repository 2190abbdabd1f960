import type { TranscriptMessage } from "../domain/session.ts";
import type { CallConsent, ToolCall } from "../domain/tool.ts";
import type { Reply } from "../domain/turn.ts";

const maxShownArguments = 500;

/**
 * The reply with the calls that wait for the person's word, spelled by us: what a model says about a call that a tool put
 * it up to may be anything. Unchanged when none waits. `addWords` sets words of ours below a reply.
 */
export function askConsent(
  reply: Reply,
  messages: readonly TranscriptMessage[],
  addWords: (reply: Reply, words: string) => Reply = toLonger,
): Reply {
  const waiting = findWaiting(messages);
  const [first] = waiting;
  if (first === undefined) return reply;
  const toLines = (calls: readonly WaitingCall[]): string =>
    calls.map((call) => `- ${toShown(call)}\n`).join("");
  const { induced = [], confirmed = [] } = Object.groupBy(waiting, ({ why }) =>
    why === undefined ? "induced" : "confirmed",
  );
  const reasons = [
    [induced, "A tool's output, not you, asked for this, so it was not done:"],
    [confirmed, "This is done only with your word:"],
  ] as const;
  const question = reasons
    .filter(([calls]) => calls.length > 0)
    .map(([calls, reason]) => `${reason}\n${toLines(calls)}`)
    .join("");
  const metadata = {
    ...reply.metadata,
    type: "confirmation",
    prompt_type: "tool_confirmation",
    options: "approve,reject",
    tool_call_id: first.id,
  };
  const words = `${question}Answer “yes” to have it done once.`;
  return { ...addWords(reply, words), metadata };
}

function toLonger(reply: Reply, words: string): Reply {
  return { ...reply, content: `${reply.content}\n\n${words}` };
}

type WaitingCall = ToolCall & Pick<CallConsent, "why">;

/** Each call once, however often the model tried it. */
function findWaiting(messages: readonly TranscriptMessage[]): readonly WaitingCall[] {
  const calls = messages.flatMap((said) => (said.role === "assistant" ? said.toolCalls : []));
  const waiting = new Map<string, WaitingCall>();
  for (const said of messages) {
    if (said.role !== "tool" || said.consent?.state !== "awaited") continue;
    const call = calls.findLast(({ id }) => id === said.callId);
    const { call: digest, why } = said.consent;
    if (call !== undefined && !waiting.has(digest)) waiting.set(digest, { ...call, why });
  }
  return [...waiting.values()];
}

function toShown({ name, arguments: values }: ToolCall): string {
  const written = toVisible(JSON.stringify(values).toWellFormed());
  const rest = written.length - maxShownArguments;
  const shown =
    rest > 0
      ? `${written.slice(0, maxShownArguments).toWellFormed()} … and ${rest} more characters`
      : written;
  // Nothing in it may look like our own words or a link.
  return `\`${toVisible(name.slice(0, 100))} ${shown}\``.replaceAll(/(?<=.)`(?=.)/g, "'");
}

/** Characters that are not seen, or that change the order in which the others are, as escapes of JSON. */
function toVisible(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu,
    (character) =>
      character
        .split("")
        .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
        .join(""),
  );
}
