import { describe, expect, it } from "vitest";
import { createBackoff } from "./backoff.ts";
import { createManualClock, systemClock } from "./clock.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { truncateUtf8 } from "./unicode.ts";

describe("durations", () => {
  it.each([
    ["1h30m", 5_400_000],
    ["500ms", 500],
    ["1.5s", 1_500],
    ["0", 0],
    ["-2m", -120_000],
    ["2us", 0.002],
  ])("reads %s as Go does", (text, durationMs) =>
    expect(parseDuration(text)).toBeCloseTo(durationMs),
  );

  it.each(["", "5", "1 h", "abc", "1d", "ms"])("does not take %j for one", (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  it("speaks of them plainly", () => {
    expect([350, 4_200, 180_000, 5_400_000].map(formatDuration)).toEqual([
      "350 ms",
      "4.2 s",
      "3 min",
      "1.5 h",
    ]);
  });
});

describe("backoff", () => {
  it("doubles up to its bound and starts over when told", () => {
    const backoff = createBackoff({ initialMs: 1_000, maxMs: 5_000 });
    expect([1, 2, 3, 4, 5].map(backoff.nextMs)).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(1_000);
  });

  it("spreads by the share it is given", () => {
    const at = (random: number) =>
      createBackoff({ initialMs: 1_000, maxMs: 9_000, jitter: 0.5, random: () => random }).nextMs();
    expect([at(0), at(1)]).toEqual([500, 1_000]);
  });
});

describe("clocks", () => {
  it("run what is due in order when moved by hand", async () => {
    const clock = createManualClock();
    const seen: string[] = [];
    clock.after(20, () => seen.push("b"));
    clock.after(10, () => seen.push("a"));
    const cancel = clock.after(15, () => seen.push("never"));
    cancel();
    const slept = clock.sleep(30).then(() => seen.push("slept"));
    clock.advance(25);
    expect(seen).toEqual(["a", "b"]);
    clock.advance(5);
    await slept;
    expect(seen).toEqual(["a", "b", "slept"]);
  });

  it("take a delay no timer can hold for a very long one", async () => {
    const seen: string[] = [];
    const gone = new AbortController();
    const cancel = systemClock.after(2 ** 31, () => seen.push("after"));
    const slept = systemClock.sleep(Infinity, gone.signal).then(() => seen.push("slept"));
    await systemClock.sleep(20);
    expect(seen).toEqual([]);
    cancel();
    gone.abort();
    await slept;
  });

  it("stop sleeping at once when the signal aborts", async () => {
    const gone = new AbortController();
    const sleeping = systemClock.sleep(60_000, gone.signal);
    gone.abort();
    await sleeping;
  });
});

describe("cutting text", () => {
  it("keeps whole characters and says whether it cut", () => {
    expect(truncateUtf8("héllo", 100)).toEqual({ text: "héllo", truncated: false });
    expect(truncateUtf8("héllo", 2)).toEqual({ text: "h", truncated: true });
    expect(truncateUtf8("👋👋", 7)).toEqual({ text: "👋", truncated: true });
    expect(truncateUtf8("\ud800x", 10).text).toBe("\ufffdx");
  });
});
