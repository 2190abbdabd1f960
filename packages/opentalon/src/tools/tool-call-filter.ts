import { parseTextReply } from "./text-tool-calls.ts";

/** Keeps tool calls out of the text a person sees while a model is still writing. */
export interface ToolCallFilter {
  /** The next piece of the reply; gives what may be shown now. */
  readonly push: (delta: string) => string;
  /** The reply is complete; gives what was held back and turned out to be text. */
  readonly flush: () => string;
}

const openers = ["[tool_call]", "<invoke ", "<function_calls>"];
/** No more is held back in case one begins. */
const longestOpener = Math.max(...openers.map((opener) => opener.length));
const longestLead = 256;

/**
 * From the first opener on everything is held back until the end of the reply: then `parseTextReply` says what of it is
 * text. Shown text is never taken back.
 */
export function createToolCallFilter(): ToolCallFilter {
  const held: string[] = [];
  let pending = "";
  let isHolding = false;
  let isStart = true;

  const hold = (text: string): void => {
    isHolding = true;
    held.push(text);
    pending = "";
  };

  const push = (delta: string): string => {
    if (isHolding) {
      held.push(delta);
      return "";
    }
    pending += delta;
    if (isStart) {
      const beginning = judgeBeginning(pending);
      if (beginning === "undecided") return "";
      isStart = false;
      if (beginning === "call") {
        hold(pending);
        return "";
      }
    }
    const opener = /\[tool_call\]|<invoke\s|<function_calls>/i.exec(pending);
    const end = opener?.index ?? pending.length - partialOpener(pending);
    const visible = pending.slice(0, end);
    if (opener === null) pending = pending.slice(end);
    else hold(pending.slice(end));
    return visible;
  };

  const flush = (): string => {
    const rest = held.join("") + pending;
    held.length = 0;
    pending = "";
    const { text, toolCalls } = parseTextReply(rest, { createCallId: () => "" });
    return toolCalls.length === 0 ? rest : text;
  };

  return { push, flush };
}

/** Whether a reply begins as one that is nothing but a call: `{"tool":`, also in a code fence. */
function judgeBeginning(text: string): "call" | "text" | "undecided" {
  const lead = text.slice(0, longestLead).replaceAll(/\s+/g, "");
  const forms = ['{"tool":', '```json{"tool":', '```{"tool":'];
  if (forms.some((form) => lead.startsWith(form))) return "call";
  const mayBecomeOne = forms.some((form) => form.startsWith(lead));
  return mayBecomeOne && text.length < longestLead ? "undecided" : "text";
}

/** How many characters at the end of `text` may be the beginning of an opener. */
function partialOpener(text: string): number {
  for (let size = Math.min(longestOpener, text.length); size > 0; size -= 1) {
    const tail = text.slice(-size).toLowerCase();
    if (openers.some((opener) => opener.startsWith(tail))) return size;
  }
  return 0;
}
