import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createManualClock, type ManualClock } from "../base/clock.ts";
import {
  type BudgetAccount,
  type BudgetAmount,
  defaultStoreLimits,
  type InboxEntry,
  type Store,
} from "./ports.ts";
import { createMessage, createReply, type StorePlace } from "./store.contract.ts";

const toAccount = (changes: Partial<BudgetAccount> = {}): BudgetAccount => ({
  account: "person:console:ada",
  period: "2026-03-01",
  limit: { money: 1, tokens: 0 },
  ...changes,
});
const dollars = (money: number): BudgetAmount => ({ money, tokens: 0 });
const hourMs = 3_600_000;

/** What every engine promises about budgets. */
export function describeBudgetStore(name: string, createPlace: () => Promise<StorePlace>): void {
  describe(`${name} keeps budgets:`, () => {
    let place: StorePlace;
    let clock: ManualClock;
    let store: Store;
    let calls = 0;

    const open = (): Promise<Store> => place.open({ clock, limits: defaultStoreLimits });
    const reserve = (
      turnId: string,
      estimate: BudgetAmount,
      accounts: readonly BudgetAccount[] = [toAccount()],
      attempt = 1,
    ) => {
      calls += 1;
      const call = `call-${calls}`;
      const turn = { id: turnId, attempt };
      const expiresAtMs = clock.now() + hourMs;
      return store.budgets
        .reserve({ turn, call, accounts, estimate, expiresAtMs })
        .then((decision) => ({ ...decision, call }));
    };
    const settle = (
      turnId: string,
      call: string,
      used: BudgetAmount,
      accounts: readonly BudgetAccount[] = [toAccount()],
      warnAtPercent = 80,
    ) => store.budgets.settle({ turnId, call, accounts, used, warnAtPercent });
    const spend = async (
      turnId: string,
      used: BudgetAmount,
      accounts: readonly BudgetAccount[] = [toAccount()],
    ) => {
      const { call } = await reserve(turnId, used, accounts);
      return settle(turnId, call, used, accounts);
    };
    const read = async (account = toAccount()) => (await store.budgets.read([account]))[0];
    const accept = async (id: string): Promise<InboxEntry> => {
      const outcome = await store.inbox.accept(createMessage(id), "console:room");
      if (outcome.kind !== "accepted") throw new Error("not accepted");
      return outcome.entry;
    };
    const commit = (entry: InboxEntry, cleared = false) =>
      store.commitTurn({
        entry,
        reply: createReply("hi"),
        session: { appended: [], cleared },
        usage: [],
        budget: { sessionAccount: "session:console:room" },
      });

    beforeEach(async () => {
      place = await createPlace();
      clock = createManualClock();
      store = await open();
    });
    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    });

    it("lets a call through while anything is left, and none after that", async () => {
      await spend("turn", dollars(0.99));
      const { kind, call } = await reserve("turn", dollars(0.5));
      expect(kind).toBe("reserved");
      await settle("turn", call, dollars(0.01));
      expect(await reserve("turn", dollars(0.01))).toMatchObject({
        kind: "refused",
        why: "used-up",
        account: toAccount(),
        state: { used: { money: 1 }, reserved: { money: 0 } },
      });
    });

    it("counts tokens as well as money", async () => {
      const account = toAccount({ limit: { money: 1, tokens: 100 } });
      await spend("turn", { money: 0.1, tokens: 100 }, [account]);
      expect((await reserve("turn", dollars(0), [account])).kind).toBe("refused");
      const richer = toAccount({ limit: { money: 1, tokens: 101 } });
      expect((await reserve("turn", dollars(0), [richer])).kind).toBe("reserved");
    });

    it("reserves in all accounts or in none", async () => {
      const total = toAccount({ account: "total", limit: dollars(10) });
      const person = toAccount();
      await spend("turn", dollars(1), [total, person]);
      expect(await reserve("turn", dollars(1), [total, person])).toMatchObject({
        account: { account: person.account },
      });
      expect(await read(total)).toMatchObject({ used: { money: 1 }, reserved: { money: 0 } });
    });

    it("lets 50 calls at once pass the limit by no more than one estimate", async () => {
      const decisions = await Promise.all(
        Array.from({ length: 50 }, (_, index) => reserve(`turn-${index}`, dollars(0.3))),
      );
      const passed = decisions.filter(({ kind }) => kind === "reserved");
      // 0.9 of 1 is reserved when the fourth comes.
      expect(passed).toHaveLength(4);
      expect(decisions.find(({ kind }) => kind === "refused")).toMatchObject({ why: "reserved" });
      for (const { call } of passed) {
        const turnId = `turn-${decisions.findIndex((one) => one.call === call)}`;
        await settle(turnId, call, dollars(0.3));
      }
      expect((await read())?.used.money).toBeCloseTo(1.2);
      expect(await reserve("late", dollars(0.1))).toMatchObject({ why: "used-up" });
    });

    it("survives 50 turns at once over shared accounts, each commit and all", async () => {
      const total = toAccount({ account: "total", limit: dollars(1_000) });
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const person = toAccount({ account: `person:${index % 3}`, limit: dollars(1_000) });
          const accounts = index % 2 === 0 ? [total, person] : [person, total];
          const entry = await accept(`m${index}`);
          await spend(entry.id, { money: 0.5, tokens: 7 }, accounts);
          await spend(entry.id, { money: 0.25, tokens: 3 }, accounts);
          await commit(entry);
        }),
      );
      expect(await read(total)).toMatchObject({
        used: { money: 37.5, tokens: 500 },
        reserved: { money: 0, tokens: 0 },
      });
    });

    it("never books more than the limit and one call, however 50 turns overlap", async () => {
      const accounts = [toAccount({ limit: dollars(5) })];
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const entry = await accept(`m${index}`);
          for (let round = 0; round < 3; round += 1) {
            const { kind, call } = await reserve(entry.id, dollars(0.3), accounts);
            if (kind === "reserved") await settle(entry.id, call, dollars(0.3), accounts);
          }
          await commit(entry);
        }),
      );
      const used = (await read(accounts[0]))?.used.money;
      expect(used).toBeGreaterThan(4.99);
      expect(used).toBeLessThan(5.3);
    });

    it("gives back what a failed call had reserved", async () => {
      const { call } = await reserve("turn", dollars(2));
      expect((await reserve("other", dollars(1))).kind).toBe("refused");
      await store.budgets.release("turn", call);
      expect((await reserve("other", dollars(1))).kind).toBe("reserved");
    });

    it("counts a reservation once that is made again because its answer was lost", async () => {
      const reservation = {
        turn: { id: "turn", attempt: 1 },
        call: "same",
        accounts: [toAccount()],
        estimate: dollars(1),
        expiresAtMs: clock.now() + hourMs,
      };
      await store.budgets.reserve(reservation);
      expect(await store.budgets.reserve(reservation)).toEqual({ kind: "reserved" });
      expect((await read())?.reserved.money).toBe(1);
    });

    it("warns once for each account and period", async () => {
      expect(await spend("one", dollars(0.7))).toEqual([]);
      expect(await spend("two", dollars(0.1))).toMatchObject([{ account: toAccount() }]);
      expect(await spend("three", dollars(0.1))).toEqual([]);
      expect((await read())?.warnedBy).toBe("two");
      const tomorrow = toAccount({ period: "2026-03-02" });
      expect(await spend("four", dollars(0.9), [tomorrow])).toHaveLength(1);
    });

    it("warns one of many at once", async () => {
      const accounts = [toAccount({ limit: dollars(100) })];
      const warnings = await Promise.all(
        Array.from({ length: 20 }, (_, index) => spend(`turn-${index}`, dollars(5), accounts)),
      );
      expect(warnings.flat()).toHaveLength(1);
    });

    it("begins a new period with nothing used", async () => {
      await spend("turn", dollars(1));
      expect((await reserve("turn", dollars(1))).kind).toBe("refused");
      const tomorrow = [toAccount({ period: "2026-03-02" })];
      expect((await reserve("turn", dollars(1), tomorrow)).kind).toBe("reserved");
    });

    it("keeps what a killed turn used, drops what it had only reserved, and books all once", async () => {
      const entry = await accept("a");
      await spend(entry.id, dollars(0.4));
      await reserve(entry.id, dollars(5));
      await store[Symbol.asyncDispose]();
      store = await open();
      const [taken] = await store.inbox.takeOver();
      if (taken === undefined) throw new Error("nothing to take over");
      expect(await read()).toMatchObject({ used: { money: 0.4 }, reserved: { money: 5 } });
      const { kind, call } = await reserve(taken.id, dollars(0.2), [toAccount()], taken.attempt);
      expect(kind).toBe("reserved");
      await settle(taken.id, call, dollars(0.1));
      expect(await read()).toMatchObject({ used: { money: 0.5 }, reserved: { money: 0 } });
      await commit(taken);
      await commit(taken);
      expect(await read()).toMatchObject({ used: { money: 0.5 }, reserved: { money: 0 } });
    });

    it("drops what a killed turn had reserved when it is committed without another call", async () => {
      const entry = await accept("a");
      await reserve(entry.id, dollars(5));
      await store[Symbol.asyncDispose]();
      store = await open();
      const [taken] = await store.inbox.takeOver();
      if (taken === undefined) throw new Error("nothing to take over");
      await commit(taken);
      expect(await read()).toMatchObject({ used: { money: 0 }, reserved: { money: 0 } });
    });

    it("forgets reservations that expired, but not what their call then used", async () => {
      const { call } = await reserve("turn", dollars(1));
      clock.advance(hourMs);
      expect((await reserve("other", dollars(0.1))).kind).toBe("reserved");
      await store.prune();
      await settle("turn", call, dollars(0.6));
      expect((await read())?.used.money).toBeCloseTo(0.6);
    });

    it("books a call whose turn was answered elsewhere meanwhile", async () => {
      const entry = await accept("a");
      const { call } = await reserve(entry.id, dollars(0.5));
      await settle(entry.id, call, dollars(0.5));
      const waiting = await accept("b");
      await spend(waiting.id, dollars(0.1));
      await store.commitTurn({
        entry,
        reply: undefined,
        session: { appended: [] },
        usage: [],
      });
      clock.advance(hourMs);
      await store.prune();
      await store.prune();
      expect((await read())?.used.money).toBeCloseTo(0.6);
      await commit(waiting);
      expect((await read())?.used.money).toBeCloseTo(0.6);
    });

    it("begins the account of a conversation anew when it is cleared, and no other", async () => {
      const session = toAccount({ account: "session:console:room", period: "" });
      const person = toAccount();
      await commit(await accept("none yet"), true);
      const entry = await accept("a");
      await spend(entry.id, dollars(0.9), [session, person]);
      await commit(entry);
      expect(await read(session)).toMatchObject({ used: { money: 0.9 }, warnedBy: entry.id });
      await commit(await accept("/clear"), true);
      expect(await read(session)).toMatchObject({ used: { money: 0 }, warnedBy: "" });
      expect(await read(person)).toMatchObject({ used: { money: 0.9 } });
    });

    it("takes any name for an account, and no amount that is none", async () => {
      const odd = toAccount({ account: `person:${"x".repeat(5_000)}\0\uD800` });
      await spend("turn", { money: Number.NaN, tokens: -5 }, [odd]);
      await spend("turn", { money: Infinity, tokens: 2.5 }, [odd]);
      expect(await read(odd)).toMatchObject({ used: { money: 0, tokens: 2 } });
    });

    it("forgets periods long over", async () => {
      const session = toAccount({ account: "session:k", period: "" });
      const entry = await accept("a");
      await spend(entry.id, dollars(0.1), [session, toAccount()]);
      await commit(entry);
      clock.advance(71 * 24 * hourMs);
      await store.prune();
      expect((await read())?.used.money).toBe(0);
      expect((await read(session))?.used.money).toBe(0.1);
    });
  });
}
