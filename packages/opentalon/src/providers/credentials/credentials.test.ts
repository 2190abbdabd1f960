import { describe, expect, it } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import type { ManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { ProviderError } from "../../base/errors.ts";
import type { ProviderErrorDetails } from "../../base/errors.ts";
import { createSecret } from "../../base/secret.ts";
import { defaultCooldownOptions } from "./cooldown.ts";
import type { CooldownOptions } from "./cooldown.ts";
import { createCredentialPools } from "./credential-pools.ts";
import type { CredentialPools } from "./credential-pools.ts";
import type { CredentialLease, CredentialPool } from "./credentials.ts";
import { createModel } from "../model-adapter.contract.ts";
import { createMemoryKeyValue } from "../testing/memory-key-value.ts";
import type { MemoryKeyValue } from "../testing/memory-key-value.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const model = createModel();
const otherModel = createModel({ name: "test/other", id: "other" });
const keys = ["sk-pool-one-1111", "sk-pool-two-2222", "sk-pool-three-3333"];

interface Setup {
  readonly clock: ManualClock;
  readonly pools: CredentialPools;
  readonly pool: CredentialPool;
  readonly keyValue: MemoryKeyValue;
  /** Position of the credential a call got, or `undefined`; the lease is given to `end`. */
  readonly use: (
    end?: (lease: CredentialLease) => void,
    wish?: { session?: string; model?: typeof model; isLastResort?: boolean },
  ) => number | undefined;
}

interface Change {
  readonly keys?: readonly string[];
  readonly order?: readonly number[];
  readonly baseUrl?: string;
  readonly clock?: ManualClock;
  readonly keyValue?: MemoryKeyValue;
  readonly cooldowns?: Partial<CooldownOptions>;
}

async function setUp(change: Change = {}): Promise<Setup> {
  const { clock = createManualClock(), keyValue = createMemoryKeyValue() } = change;
  const credentials = (change.keys ?? keys).map((key) => createSecret(key));
  const { baseUrl = "https://models.example/v1" } = change;
  const pools = createCredentialPools({
    providers: [{ name: "test", baseUrl, credentials }],
    order: { test: change.order ?? [] },
    cooldowns: { ...defaultCooldownOptions, ...change.cooldowns },
    keyValue,
    clock,
    log: createSilentLog(),
  });
  await pools.restored;
  const pool = pools.of("test");
  if (pool === undefined) throw new Error("there is no pool");
  let sessions = 0;
  return {
    clock,
    pools,
    pool,
    keyValue,
    use: (end = ({ succeed }) => succeed(), wish = {}) => {
      const lease = pool.choose({
        model: wish.model ?? model,
        sessionKey: wish.session ?? `session ${(sessions += 1)}`,
        tried: new Set(),
        isLastResort: wish.isLastResort ?? false,
      });
      if (lease !== undefined) end(lease);
      return lease?.position;
    },
  };
}

const failWith =
  (reason: ProviderErrorDetails["reason"], details: Partial<ProviderErrorDetails> = {}) =>
  ({ fail }: CredentialLease): void =>
    fail(new ProviderError("refused", { reason, model: model.name, ...details }));

describe("which credential is used", () => {
  it("is the one that was idle longest", async () => {
    const { use } = await setUp();
    expect([use(), use(), use(), use()]).toEqual([1, 2, 3, 1]);
  });

  it("stays the same within a session", async () => {
    const { use } = await setUp();
    const mine = { session: "mine" };
    expect([use(undefined, mine), use(), use(undefined, mine), use()]).toEqual([1, 2, 1, 3]);
  });

  it("changes within a session when its own rests, and stays with the new one", async () => {
    const { use, clock } = await setUp();
    const mine = { session: "mine" };
    use(undefined, mine);
    use(failWith("rate-limited"), mine);
    expect(use(undefined, mine)).toBe(2);
    clock.advance(minuteMs);
    expect(use(undefined, mine)).toBe(2);
  });

  it("follows auth.order before idleness", async () => {
    const { use } = await setUp({ order: [3, 9] });
    expect([use(), use(), use(failWith("rate-limited")), use(), use()]).toEqual([3, 3, 3, 1, 2]);
  });

  it("is none for a server that wants none, which rests like any other", async () => {
    const { use, pool } = await setUp({ keys: [] });
    let taken: Promise<unknown> = Promise.resolve("not asked");
    expect(use(({ take }) => void (taken = take(AbortSignal.timeout(60_000))))).toBe(1);
    expect(await taken).toBeUndefined();
    use(failWith("unauthorized", { status: 401 }));
    expect(pool.findDrought(model)?.untilMs).toBeGreaterThan(0);
  });

  it("is one of two different ones, however often each is written", async () => {
    const { use } = await setUp({ keys: [keys[0] ?? "", keys[0] ?? "", keys[1] ?? ""] });
    expect([use(), use(), use()]).toEqual([1, 3, 1]);
  });
});

describe("a credential that was refused", () => {
  const one = { keys: keys.slice(0, 1) };

  it("rests for 1 min, 5 min, 25 min, 1 h, and 1 min again after an answer", async () => {
    const { use, pool, clock } = await setUp(one);
    for (const restMs of [1, 5, 25, 60, 60].map((minutes) => minutes * minuteMs)) {
      use(failWith("rate-limited"));
      expect(pool.findDrought(model)?.untilMs).toBe(clock.now() + restMs);
      clock.advance(restMs - 1);
      expect(use()).toBeUndefined();
      expect(use(undefined, { isLastResort: true })).toBeUndefined();
      clock.advance(1);
    }
    expect(use()).toBe(1);
    use(failWith("rate-limited"));
    expect(pool.findDrought(model)?.untilMs).toBe(clock.now() + minuteMs);
  });

  it("rests for one model only", async () => {
    const { use } = await setUp(one);
    use(failWith("rate-limited"));
    expect(use()).toBeUndefined();
    expect(use(undefined, { model: otherModel })).toBe(1);
  });

  it("rests exactly as long as the service asks, and is a last resort when it asks again", async () => {
    const { use, clock } = await setUp(one);
    const refuse = failWith("rate-limited", { retryAfterMs: 2_000 });
    use(refuse);
    clock.advance(1_999);
    expect(use()).toBeUndefined();
    clock.advance(1);
    expect(use(refuse)).toBe(1);
    clock.advance(1_999);
    expect(use(undefined, { isLastResort: true })).toBeUndefined();
    clock.advance(1);
    expect(use()).toBeUndefined();
    expect(use(undefined, { isLastResort: true })).toBe(1);
    expect(use()).toBe(1);
  });

  it("rests as one refusal when calls that ran together were refused together", async () => {
    const { pool, clock } = await setUp(one);
    const wish = { model, sessionKey: "s", tried: new Set<number>(), isLastResort: false };
    const leases = [1, 2, 3, 4].map(() => pool.choose(wish));
    for (const lease of leases) if (lease !== undefined) failWith("rate-limited")(lease);
    expect(pool.findDrought(model)?.untilMs).toBe(clock.now() + minuteMs);
  });

  it("keeps its rest when an older call is answered late", async () => {
    const { pool } = await setUp(one);
    const wish = { model, sessionKey: "s", tried: new Set<number>(), isLastResort: false };
    const [early, late] = [pool.choose(wish), pool.choose(wish)];
    if (late !== undefined) failWith("rate-limited")(late);
    early?.succeed();
    expect(pool.findDrought(model)?.reason).toBe("rate-limited");
  });

  it("is tried by one call at a time after its rest, while there are others", async () => {
    const { use, clock } = await setUp({ keys: keys.slice(0, 2) });
    use(failWith("rate-limited"));
    clock.advance(minuteMs);
    expect(use()).toBe(2);
    const trial: CredentialLease[] = [];
    expect(use((lease) => trial.push(lease))).toBe(1);
    expect([use(), use()]).toEqual([2, 2]);
    trial[0]?.succeed();
    expect(use()).toBe(1);
  });

  it("rests for all models, up to a day, when its account has no credit", async () => {
    const { use, pool, clock } = await setUp(one);
    for (const hours of [1, 5, 24, 24]) {
      use(failWith("billing"));
      expect(pool.findDrought(otherModel)).toEqual({
        reason: "billing",
        untilMs: clock.now() + hours * hourMs,
      });
      clock.advance(hours * hourMs);
    }
  });

  it("rests after a 403 and is not used again after a 401", async () => {
    const { use, pool, clock } = await setUp(one);
    use(failWith("unauthorized", { status: 403 }));
    clock.advance(minuteMs);
    expect(use(failWith("unauthorized", { status: 401 }))).toBe(1);
    clock.advance(1_000 * hourMs);
    expect(use()).toBeUndefined();
    expect(pool.findDrought(otherModel)).toEqual({ reason: "unauthorized", untilMs: undefined });
  });

  it("does not rest when the server is at fault", async () => {
    const { use } = await setUp(one);
    for (const reason of ["overloaded", "unreachable", "timed-out", "broken-stream"] as const)
      expect(use(failWith(reason))).toBe(1);
    expect(use()).toBe(1);
  });
});

describe("what is known of credentials", () => {
  it("survives a restart, without their text", async () => {
    const before = await setUp();
    const { clock, keyValue } = before;
    before.use(failWith("rate-limited"));
    before.use(failWith("unauthorized", { status: 401 }));
    before.use();
    await before.pools[Symbol.asyncDispose]();
    for (const [key, value] of keyValue.values)
      for (const text of keys) expect(`${key} ${value}`).not.toContain(text);

    const after = await setUp({ clock, keyValue });
    expect([after.use(), after.use()]).toEqual([3, 3]);
    clock.advance(minuteMs);
    expect(after.use()).toBe(1);
    expect([after.use(), after.use()]).toEqual([3, 1]);
  });

  it("does not hold for a new value, nor at another address", async () => {
    const before = await setUp({ keys: ["sk-pool-old-0000"] });
    const { clock, keyValue } = before;
    before.use(failWith("unauthorized", { status: 401 }));
    await before.pools[Symbol.asyncDispose]();
    const same = { clock, keyValue, keys: ["sk-pool-old-0000"] };
    expect((await setUp(same)).use()).toBeUndefined();
    expect((await setUp({ ...same, keys: ["sk-pool-new-0000"] })).use()).toBe(1);
    expect((await setUp({ ...same, baseUrl: "https://other.example/v1" })).use()).toBe(1);
  });

  it("is written behind the turns: refusals soon, mere use once a minute", async () => {
    const { use, clock, keyValue, pools } = await setUp({ keys: keys.slice(0, 1) });
    for (let turn = 0; turn < 59; turn += 1) {
      use();
      clock.advance(1_000);
    }
    expect(keyValue.writes()).toBe(0);
    clock.advance(1_000);
    await expect.poll(keyValue.writes).toBe(1);
    use(failWith("rate-limited"));
    clock.advance(100);
    await expect.poll(keyValue.writes).toBe(2);
    await pools[Symbol.asyncDispose]();
    expect(keyValue.writes()).toBe(2);
  });

  it.each(["", "[]", "{", '{"address":1}', '{"address":"x","rests":{"m":{"refusals":"1e9"}}}'])(
    "is forgotten when it cannot be read: %j",
    async (text) => {
      const first = await setUp();
      first.use();
      await first.pools[Symbol.asyncDispose]();
      for (const key of first.keyValue.values.keys()) first.keyValue.values.set(key, text);
      expect((await setUp({ keyValue: first.keyValue })).use()).toBe(1);
    },
  );

  it("does not rest longer than any rest when the clock was set back", async () => {
    const { use, pools, keyValue } = await setUp({ keys: keys.slice(0, 1) });
    use(failWith("rate-limited"));
    await pools[Symbol.asyncDispose]();
    const clock = createManualClock(1_000);
    const after = await setUp({ keys: keys.slice(0, 1), keyValue, clock });
    clock.advance(24 * hourMs);
    expect(after.use()).toBe(1);
  });

  it("ends when the clock is set back by more than any rest takes", async () => {
    const { use, pool, clock } = await setUp({ keys: keys.slice(0, 1) });
    use(failWith("rate-limited"));
    expect(use()).toBeUndefined();
    clock.advance(-365 * 24 * hourMs);
    expect(pool.findDrought(model)).toBeUndefined();
    expect(use(failWith("rate-limited"))).toBe(1);
    expect(use()).toBeUndefined();
    clock.advance(5 * minuteMs);
    expect(use()).toBe(1);
  });
});
