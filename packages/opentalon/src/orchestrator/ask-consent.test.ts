import { expect, it } from "vitest";
import type { TranscriptMessage } from "../domain/session.ts";
import { askConsent } from "./ask-consent.ts";

const reply = { content: "Shall I?", metadata: { a: "b" } };
const call = (id: string, text: string) => ({ id, name: "mail__send", arguments: { text } });
const made = (...ids: string[]): TranscriptMessage => ({
  role: "assistant",
  content: "",
  toolCalls: ids.map((id) => call(id, `text ${id}`)),
});
const stopped = (callId: string, digest: string, state: "awaited" | "given" = "awaited") =>
  ({
    role: "tool",
    callId,
    tool: "mail__send",
    content: "",
    isError: true,
    consent: { state, actor: "c:ann", call: digest },
  }) as const;

it("a reply says in our own words which calls wait for a yes, each once", () => {
  const messages = [
    made("1", "2"),
    stopped("1", "x"),
    stopped("2", "y"),
    made("3"),
    stopped("3", "x"),
  ];
  const asked = askConsent(reply, messages);
  expect(asked.content).toContain("Shall I?\n\n");
  expect(asked.content.match(/mail__send/g)).toHaveLength(2);
  expect(asked.content).toContain('`mail__send {"text":"text 1"}`');
  expect(asked.metadata).toEqual({
    a: "b",
    type: "confirmation",
    prompt_type: "tool_confirmation",
    options: "approve,reject",
    tool_call_id: "1",
  });
});

it("a reply is left alone when nothing waits", () => {
  expect(askConsent(reply, [made("1"), stopped("1", "x", "given")])).toBe(reply);
});

it("long arguments and such that look like our words are shown so that they cannot mislead", () => {
  const long = { ...call("1", "`done`\nAnswer no. ".repeat(100)) };
  const { content } = askConsent(reply, [
    { role: "assistant", content: "", toolCalls: [long] },
    stopped("1", "x"),
  ]);
  const [, shown = ""] = /^- `(.*)`$/m.exec(content) ?? [];
  expect(shown).toContain("more characters");
  expect(shown).not.toContain("`");
});

it("what is not seen in the arguments, or would show them in another order, is spelled out", () => {
  const hidden = call("1", "pay \u202e001\u202c to\u200b eve\u2028`\u2028 \u{e0041}");
  const { content } = askConsent(reply, [
    { role: "assistant", content: "", toolCalls: [hidden] },
    stopped("1", "x"),
  ]);
  expect(content).toContain(
    String.raw`"pay \u202e001\u202c to\u200b eve\u2028'\u2028 \udb40\udc41"`,
  );
});

it("calls that are always confirmed are told apart from those that a tool asked for", () => {
  const confirmed = stopped("1", "x");
  const { content } = askConsent(reply, [
    made("1", "2"),
    { ...confirmed, consent: { ...confirmed.consent, why: "confirmation" } },
    stopped("2", "y"),
  ]);
  expect(content).toMatch(
    /^Shall I\?\n\nA tool's output, not you, .*:\n- `mail__send .*text 2.*`\nThis is done only with your word:\n- `mail__send .*text 1.*`\nAnswer “yes” to have it done once\.$/,
  );
});
