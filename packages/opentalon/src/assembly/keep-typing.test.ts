import { expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import type { Turn } from "../domain/turn.ts";
import { createTypingObserver } from "./keep-typing.ts";

const turn = (id: string): Turn => ({ id }) as Turn;

it("a channel hears every 25 seconds that a turn still runs, until it is finished", () => {
  const clock = createManualClock();
  const shown: string[] = [];
  const typing = createTypingObserver({
    show: ({ id }, { kind }) => shown.push(`${id} ${kind}`),
    clock,
  });
  typing.observe(turn("a"), { kind: "turn-started" });
  clock.advance(20_000);
  typing.observe(turn("b"), { kind: "turn-started" });
  typing.observe(turn("a"), { kind: "text-delta", text: "x" });
  clock.advance(5_000);
  expect(shown).toEqual(["a turn-continued"]);
  typing.observe(turn("a"), { kind: "turn-finished", outcome: "answered" });
  clock.advance(20_000);
  clock.advance(25_000);
  expect(shown).toEqual(["a turn-continued", "b turn-continued", "b turn-continued"]);
  typing.dispose();
  clock.advance(60_000);
  expect(shown).toHaveLength(3);
});
