import type { IncomingMessage } from "@opentalon/plugin-sdk";
import { expect, it, vi } from "vitest";
import { createHandover } from "./handover.ts";
import { createManualClock } from "./testing/manual-clock.ts";

const message = (content: string, size = 0): IncomingMessage => ({
  conversationId: "c",
  senderId: "s",
  content,
  files: size === 0 ? [] : [{ name: "f", mimeType: "x/y", data: new Uint8Array(size) }],
});

/** A host that says what is safe when the test does. */
function createHost() {
  const given: string[] = [];
  const pending: (() => void)[] = [];
  return {
    given,
    settle: (index: number): void => pending[index]?.(),
    receive: ({ content }: IncomingMessage): Promise<void> => {
      given.push(content);
      return new Promise((resolve) => void pending.push(resolve));
    },
  };
}

it("hands over a few at once, and counts as safe only what is, in order", async () => {
  const { receive, given, settle } = createHost();
  const { signal } = new AbortController();
  const handover = createHandover({ receive, signal, clock: createManualClock(0) });
  const safe: string[] = [];
  for (const content of ["one", "two"]) {
    await handover.give(message(content));
    handover.whenSafe(() => void safe.push(content));
  }
  settle(1);
  await vi.waitFor(() => expect(given).toEqual(["one", "two"]));
  expect(safe).toEqual([]);
  settle(0);
  await vi.waitFor(() => expect(safe).toEqual(["one", "two"]));
});

it("lets messages wait that are too many, or too large together", async () => {
  const { receive, given, settle } = createHost();
  const stopping = new AbortController();
  const { signal } = stopping;
  const handover = createHandover({ receive, signal, clock: createManualClock(0) });
  const large = 20 * 1024 * 1024;
  await handover.give(message("large", large));
  const second = handover.give(message("large too", large));
  await handover.give(message("small"));
  expect(given).toEqual(["large", "small"]);
  settle(0);
  await second;
  for (let index = 0; index < 6; index += 1) await handover.give(message(`${index}`));
  const waiting = handover.give(message("one too many"));
  stopping.abort();
  await waiting;
  expect(given).not.toContain("one too many");
});

it("hands over again what nobody said was safe", async () => {
  const { receive, given, settle } = createHost();
  const clock = createManualClock(0);
  const { signal } = new AbortController();
  const handover = createHandover({ receive, signal, clock });
  let isSafe = false;
  await handover.give(message("one"));
  handover.whenSafe(() => (isSafe = true));
  clock.advance(120_000);
  await vi.waitFor(() => expect(given).toEqual(["one", "one"]));
  settle(1);
  await vi.waitFor(() => expect(isSafe).toBe(true));
});
