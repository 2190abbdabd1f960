import { expect, it } from "vitest";
import type { TranscriptMessage } from "../domain/session.ts";
import { fromTranscriptRow, toTranscriptRow } from "./transcript-row.ts";

const result: TranscriptMessage = {
  role: "tool",
  callId: "1",
  tool: "mail__send",
  content: "x",
  isError: true,
};

it("a result keeps whose word the call needed", () => {
  const waiting = {
    ...result,
    consent: { state: "awaited", actor: "c:ann", call: "digest" },
  } as const;
  expect(fromTranscriptRow(toTranscriptRow(waiting))).toEqual(waiting);
  expect(fromTranscriptRow(toTranscriptRow(result))).toEqual(result);
});

it.each([{ state: "sure", actor: "a", call: "b" }, { state: "given" }, "given", 7])(
  "what a row says of that and nobody wrote is ignored: %j",
  (consent) => {
    const row = toTranscriptRow(result);
    const metadata = JSON.stringify({ tool: "mail__send", is_error: true, call_id: "1", consent });
    expect(fromTranscriptRow({ ...row, metadata })).toEqual(result);
  },
);
