import type { TranscriptMessage } from "../domain/session.ts";
import type { ToolCall } from "../domain/tool.ts";
import type { Reply } from "../domain/turn.ts";

const maxShownArguments = 500;

/**
 * The reply with the calls that wait for the person's word, spelled by us: what a model says about a call that a tool put
 * it up to may be anything. Unchanged when none waits.
 */
export function askConsent(reply: Reply, messages: readonly TranscriptMessage[]): Reply {
  const waiting = findWaiting(messages);
  const [first] = waiting;
  if (first === undefined) return reply;
  const calls = waiting.map((call) => `- ${toShown(call)}`).join("\n");
  const question = `A tool's output, not you, asked for this, so it was not done:\n${calls}\nAnswer “yes” to have it done once.`;
  const metadata = {
    ...reply.metadata,
    type: "confirmation",
    prompt_type: "tool_confirmation",
    options: "approve,reject",
    tool_call_id: first.id,
  };
  return { content: `${reply.content}\n\n${question}`, metadata };
}

/** Each call once, however often the model tried it. */
function findWaiting(messages: readonly TranscriptMessage[]): readonly ToolCall[] {
  const calls = messages.flatMap((said) => (said.role === "assistant" ? said.toolCalls : []));
  const waiting = new Map<string, ToolCall>();
  for (const said of messages) {
    if (said.role !== "tool" || said.consent?.state !== "awaited") continue;
    const call = calls.findLast(({ id }) => id === said.callId);
    if (call !== undefined && !waiting.has(said.consent.call)) waiting.set(said.consent.call, call);
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
