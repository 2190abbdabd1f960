import { fileURLToPath } from "node:url";
import { sourceArguments } from "../../base/testing/source-arguments.ts";

/** How a fake provider plugin behaves; passed as JSON in its first argument. Everything absent means: like a good one. */
export interface FakeProviderOptions {
  /** Models it reports. */
  readonly models?: readonly Readonly<Record<string, unknown>>[];
  /** In Init. */
  readonly init?: "hang" | "refuse" | "unimplemented";
  /** In Models. */
  readonly listing?: "unimplemented" | "hang";
  /** One line of JSON is added for each event: {"event":"started","pid":…}, {"event":"call","request":…}, {"event":"cancelled"}. */
  readonly journal?: string;
}

/**
 * What a person says to have a fake provider do something; any other text is echoed, a word at a time:
 *
 *     crash        sends "Half an answer", then ends the process
 *     hang         never says anything
 *     stall        sends "Half", then nothing
 *     alive        sends "Half", then signs of life for ever
 *     end          sends "Half an answer" and ends the stream without a finish
 *     status       sends "Half an answer" and ends the stream with a gRPC status that quotes the credential
 *     flood        sends text for ever
 *     tools        calls { "a__b", '{"x":1}' } and { "", "no JSON" }
 *     many-tools   calls tools for ever
 *     think        thinks, then says "Done."
 *     fail:REASON  fails so, with the credential in its message, 1.5 s to wait and status 429
 *     request      what it was asked, as JSON
 *     environment  its environment, as JSON
 *     config       what Init brought
 *     process      its number
 */
export function toFakeProviderCommand(options: FakeProviderOptions = {}): readonly string[] {
  const path = fileURLToPath(new URL("fake-provider.ts", import.meta.url));
  return [process.execPath, ...sourceArguments, path, JSON.stringify(options)];
}
