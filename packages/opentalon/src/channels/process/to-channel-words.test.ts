import { expect, test } from "vitest";
import { toChannelWords } from "./to-channel-words.ts";

test("what a channel said itself stands alone", () => {
  const failed = (words: string): string =>
    toChannelWords("mail", `the plugin "mail" failed: ${words}`);
  expect(failed("grpc: INVALID_ARGUMENT: configure: set config.smtp.host")).toBe(
    'the channel "mail" failed: set config.smtp.host',
  );
  expect(failed("grpc: UNKNOWN: start: refused")).toBe('the channel "mail" failed: refused');
  expect(failed("grpc: UNKNOWN: no config: start: now")).toBe(
    'the channel "mail" failed: no config: start: now',
  );
});

test("what the connection said keeps its code", () => {
  expect(toChannelWords("mail", 'the plugin "mail" failed: grpc: UNAVAILABLE: gone')).toBe(
    'the channel "mail" failed: grpc: UNAVAILABLE: gone',
  );
  expect(toChannelWords("mail", 'the plugin "jira" ended')).toBe('the plugin "jira" ended');
});
