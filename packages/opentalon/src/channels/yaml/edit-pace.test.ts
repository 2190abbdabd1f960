import { describe, expect, it } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import { createEditPace } from "./edit-pace.ts";

const rules = { intervalMs: 1_500, groupIntervalMs: 5_000, perMinute: 0 };

describe("the pace of edits", () => {
  it("is that of the conversation, however many answers are written in it", () => {
    const clock = createManualClock();
    const pace = createEditPace(rules, clock);
    expect([pace.take("a", false), pace.take("a", false), pace.take("b", false)]).toEqual([
      true,
      false,
      true,
    ]);
    clock.advance(1_499);
    expect(pace.take("a", false)).toBe(false);
    clock.advance(1);
    expect(pace.take("a", false)).toBe(true);
  });

  it("leaves room for answers in groups: at most twelve a minute, answers counted", () => {
    const clock = createManualClock();
    const pace = createEditPace(rules, clock);
    let shown = 0;
    for (let second = 0; second < 60; second += 1) {
      if (pace.take("g", true)) shown += 1;
      clock.advance(1_000);
    }
    expect(shown).toBe(12);
    pace.count("g");
    expect(pace.take("g", true)).toBe(false);
  });

  it("is bounded for all conversations together where the platform counts so", () => {
    const clock = createManualClock();
    const pace = createEditPace({ ...rules, perMinute: 40 }, clock);
    const names = Array.from({ length: 60 }, (_, index) => `c${index}`);
    expect(names.filter((name) => pace.take(name, false)).length).toBe(40);
    clock.advance(60_000);
    expect(pace.take("c0", false)).toBe(true);
  });

  it("slows down after a complaint, and recovers", () => {
    const clock = createManualClock();
    const pace = createEditPace(rules, clock);
    pace.slowDown("a", 10_000);
    clock.advance(9_999);
    expect(pace.take("a", false)).toBe(false);
    clock.advance(1);
    expect(pace.take("a", false)).toBe(true);
    clock.advance(1_500);
    expect(pace.take("a", false)).toBe(false);
    clock.advance(1_500);
    expect(pace.take("a", false)).toBe(true);
    clock.advance(600_001);
    expect(pace.take("a", false)).toBe(true);
    clock.advance(1_500);
    expect(pace.take("a", false)).toBe(true);
  });
});
