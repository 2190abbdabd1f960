import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createManualClock, type ManualClock } from "../base/clock.ts";
import type { AnswerRecord } from "../domain/answer.ts";
import {
  defaultStoreLimits,
  type InboxEntry,
  type RoutedAnswer,
  type Store,
  type TurnCommit,
} from "./ports.ts";
import { createMessage, type StorePlace } from "./store.contract.ts";

const day = 86_400_000;

function createAnswer(id: string, more: Partial<RoutedAnswer> = {}): RoutedAnswer {
  return {
    id,
    model: "p/small",
    task: "chat",
    features: "numbers",
    tried: [],
    cause: "learnt",
    inputTokens: 100,
    outputTokens: 10,
    cost: 0.25,
    strongestModel: "p/big",
    strongestCost: 1,
    ...more,
  };
}

/** What every engine promises of what routing learns from. */
export function describeRoutingStore(name: string, createPlace: () => Promise<StorePlace>): void {
  describe(`${name} keeps what routing learns from:`, () => {
    let place: StorePlace;
    let clock: ManualClock;
    let store: Store;
    let count = 0;

    const open = (): Promise<Store> => place.open({ clock, limits: defaultStoreLimits });
    const commit = async (more: Partial<TurnCommit>): Promise<InboxEntry> => {
      count += 1;
      const outcome = await store.inbox.accept(createMessage(`m${count}`), "console:room");
      if (outcome.kind === "duplicate") throw new Error("seen before");
      const { entry } = outcome;
      const { answers = [] } = more;
      const session = { appended: [] };
      await store.commitTurn({ entry, reply: undefined, session, usage: [], ...more, answers });
      return entry;
    };
    const judge = (answerId: string, accepted: boolean, weight = 1) =>
      commit({ signals: [{ answerId, accepted, weight }] });

    beforeEach(async () => {
      place = await createPlace();
      clock = createManualClock(1_750_000_000_000);
      store = await open();
    });
    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    });

    it("gives judged answers in the order of their judgements, once each", async () => {
      await commit({ answers: [createAnswer("a"), createAnswer("b", { tried: ["p/x", 'p/"y'] })] });
      expect(await store.routing.outcomes("", 10)).toEqual([]);
      await judge("b", false, 2);
      await judge("a", true);
      const outcomes = await store.routing.outcomes("", 10);
      expect(outcomes).toMatchObject([
        { ...createAnswer("b", { tried: ["p/x", 'p/"y'] }), accepted: false, weight: 2 },
        { ...createAnswer("a"), accepted: true, weight: 1, signalledAtMs: clock.now() },
      ]);
      const [first, second] = outcomes;
      expect(await store.routing.outcomes(first?.signalId ?? "", 10)).toEqual([second]);
      expect(await store.routing.outcomes("", 1)).toEqual([first]);
      expect(await store.routing.outcomes(second?.signalId ?? "", 10)).toEqual([]);
    });

    it("counts the first judgement of an answer, and none of an answer it does not know", async () => {
      await commit({ answers: [createAnswer("a")] });
      await judge("a", true);
      await judge("a", false);
      await judge("nobody's", false);
      expect(await store.routing.outcomes("", 10)).toMatchObject([{ id: "a", accepted: true }]);
    });

    it("puts a deliberate judgement in the place of a hint, and nothing in the place of that", async () => {
      await commit({ answers: [createAnswer("a")] });
      await judge("a", true, 1);
      const [hint] = await store.routing.outcomes("", 10);
      await judge("a", false, 2);
      const [deliberate] = await store.routing.outcomes(hint?.signalId ?? "", 10);
      expect(deliberate).toMatchObject({ id: "a", accepted: false, weight: 2 });
      await judge("a", false, 2);
      await judge("a", true, 2);
      await judge("a", true, 1);
      expect(await store.routing.outcomes("", 10)).toEqual([deliberate]);
      expect(await store.routing.totals(0)).toMatchObject([{ accepted: 0, rejected: 1 }]);
    });

    it("judges an answer of the same commit", async () => {
      const signals = [{ answerId: "a", accepted: false, weight: 2 }];
      await commit({ answers: [createAnswer("a")], signals });
      expect(await store.routing.outcomes("", 10)).toMatchObject([{ id: "a", weight: 2 }]);
    });

    it("gives later judgements greater identifiers, also after a restart", async () => {
      await commit({ answers: [createAnswer("a"), createAnswer("b")] });
      await judge("a", true);
      await store[Symbol.asyncDispose]();
      store = await open();
      await judge("b", true);
      const outcomes = await store.routing.outcomes("", 10);
      expect(outcomes.map(({ id }) => id)).toEqual(["a", "b"]);
      expect(store.routing.signalIdAt(0) > store.routing.signalIdAt(1)).toBe(true);
      expect((outcomes[0]?.signalId ?? "") >= store.routing.signalIdAt(0)).toBe(true);
    });

    it("sums up by kind of task and model, without models that were never asked", async () => {
      await commit({
        answers: [
          createAnswer("a"),
          createAnswer("b"),
          createAnswer("c", { model: "p/big", cost: 1 }),
          createAnswer("d", { cause: "passed-over" }),
        ],
      });
      await judge("a", true);
      await judge("b", false);
      const small = { answers: 2, accepted: 1, rejected: 1, inputTokens: 200, outputTokens: 20 };
      const big = { answers: 1, accepted: 0, rejected: 0, inputTokens: 100, outputTokens: 10 };
      expect(await store.routing.totals(0)).toEqual([
        { task: "chat", model: "p/big", ...big, cost: 1, strongestCost: 1 },
        { task: "chat", model: "p/small", ...small, cost: 0.5, strongestCost: 2 },
      ]);
      expect(await store.routing.totals(clock.now() + 1)).toEqual([]);
    });

    it("replaces what was learnt only within its epoch", async () => {
      expect(await store.routing.load()).toBeUndefined();
      expect(await store.routing.save({ epoch: "0", content: "one" })).toBe(true);
      expect(await store.routing.save({ epoch: "0", content: "two" })).toBe(true);
      expect(await store.routing.load()).toEqual({ epoch: "0", content: "two" });
      await store.routing.restart("empty");
      expect(await store.routing.save({ epoch: "0", content: "three" })).toBe(false);
      const restarted = await store.routing.load();
      expect(restarted?.content).toBe("empty");
      expect(await store.routing.save({ epoch: restarted?.epoch ?? "", content: "4" })).toBe(true);
    });

    it("keeps how the newest answer of a conversation came about", async () => {
      const lastAnswer: AnswerRecord = {
        ...createAnswer("a"),
        cause: "learnt",
        reason: "half \uD800, nul \0",
        chosen: "p/small",
        messageCount: 2,
        isJudged: false,
      };
      const load = async () => (await store.sessions.load("console:room", 0)).lastAnswer;
      expect(await load()).toBeUndefined();
      await commit({ session: { appended: [], lastAnswer } });
      expect(await load()).toMatchObject({ id: "a", messageCount: 2, tried: [] });
      await commit({ session: { appended: [] } });
      expect(await load()).toMatchObject({ id: "a" });
      await commit({ session: { appended: [], lastAnswer: null } });
      expect(await load()).toBeUndefined();
      for (const strange of [
        { id: "a", model: "p/small", messageCount: 2, tried: [] },
        { ...lastAnswer, messageCount: 0 },
        { ...lastAnswer, messageCount: -1 },
        { ...lastAnswer, tried: [1] },
        { ...lastAnswer, cost: Number.NaN },
      ]) {
        await commit({ session: { appended: [], lastAnswer: strange as unknown as AnswerRecord } });
        expect(await load(), JSON.stringify(strange)).toBeUndefined();
      }
      const open = { ...lastAnswer, messageCount: 0, unanswered: "x\0" };
      await commit({ session: { appended: [], lastAnswer: open } });
      expect(await load()).toMatchObject({ unanswered: "x\0" });
    });

    it("replaces the newest messages of a conversation", async () => {
      const user = (content: string) => ({ role: "user", content }) as const;
      await commit({ session: { appended: [user("1"), user("2"), user("3")] } });
      await commit({ session: { dropped: 2, appended: [user("4")] } });
      const contents = async () =>
        (await store.sessions.load("console:room", 0)).messages.map(({ content }) => content);
      expect(await contents()).toEqual(["1", "4"]);
      await commit({ session: { dropped: 99, appended: [] } });
      expect(await contents()).toEqual([]);
    });

    it("forgets answers after half a year, judged or not", async () => {
      await commit({ answers: [createAnswer("a"), createAnswer("b")] });
      await judge("a", true);
      clock.advance(179 * day);
      await store.prune();
      expect(await store.routing.totals(0)).toHaveLength(1);
      clock.advance(2 * day);
      await store.prune();
      expect(await store.routing.totals(0)).toEqual([]);
      expect(await store.routing.outcomes("", 10)).toEqual([]);
    });
  });
}
