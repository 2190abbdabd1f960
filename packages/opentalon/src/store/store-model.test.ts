import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { defaultStoreLimits, type InboxEntry, type Store } from "./ports.ts";
import { createSqliteStore } from "./sqlite-store.ts";
import { createMessage, createReply } from "./store.contract.ts";

/** What the store must hold, kept in the plainest way. */
interface Model {
  readonly order: string[];
  readonly unanswered: Map<string, InboxEntry>;
  readonly journal: Map<string, Map<string, string | undefined>>;
  readonly said: string[];
  readonly waiting: string[];
}

type Operation =
  | { readonly kind: "accept" | "commit" | "commit-stale"; readonly message: number }
  /** Begins the step when there is no value, records it when there is one. */
  | { readonly kind: "journal"; readonly message: number; readonly value: string | undefined }
  | { readonly kind: "restart"; readonly clockStepMs: number };

const message = fc.nat({ max: 5 });
const operations: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constantFrom("accept", "commit", "commit-stale"), message }),
  fc.record({
    kind: fc.constant("journal"),
    message,
    value: fc.option(fc.string(), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("restart"), clockStepMs: fc.integer({ min: -1_000, max: 1_000 }) }),
);
/** Operations of one batch start together, as messages of different conversations do. */
const batches = fc.array(fc.array(operations, { minLength: 1, maxLength: 4 }), { maxLength: 12 });

it("agrees with a model, whatever is accepted, recorded, committed and interrupted", async () => {
  await fc.assert(
    fc.asyncProperty(batches, async (script) => {
      const dataDirectory = mkdtempSync(join(tmpdir(), "opentalon-model-"));
      const clock = createManualClock();
      const open = (): Promise<Store> =>
        createSqliteStore({ dataDirectory, clock, limits: defaultStoreLimits });
      const model: Model = {
        order: [],
        unanswered: new Map(),
        journal: new Map(),
        said: [],
        waiting: [],
      };
      let store = await open();
      try {
        for (const batch of script) {
          const restart = batch.find((operation) => operation.kind === "restart");
          await Promise.all(batch.map((operation) => run(store, model, operation)));
          if (restart === undefined) continue;
          await store[Symbol.asyncDispose]();
          clock.advance(restart.clockStepMs);
          store = await open();
          await takeOver(store, model);
          await compare(store, model);
        }
        await compare(store, model);
      } finally {
        await store[Symbol.asyncDispose]();
        rmSync(dataDirectory, { recursive: true, force: true });
      }
    }),
    { numRuns: 30 },
  );
});

/** Applies one operation to both. The model changes at the call: writes of one store happen in the order of their calls. */
async function run(store: Store, model: Model, operation: Operation): Promise<void> {
  switch (operation.kind) {
    case "accept": {
      const id = `m${operation.message}`;
      const isNew = !model.order.includes(id);
      if (isNew) model.order.push(id);
      const outcome = await store.inbox.accept(createMessage(id), "session");
      expect(outcome.kind).toBe(isNew ? "accepted" : "duplicate");
      if (outcome.kind === "accepted") model.unanswered.set(id, outcome.entry);
      return;
    }
    case "journal": {
      const entry = model.unanswered.get(`m${operation.message}`);
      if (entry === undefined) return;
      const steps = model.journal.get(entry.id) ?? new Map<string, string | undefined>();
      model.journal.set(entry.id, steps);
      steps.set("step", steps.get("step") ?? operation.value);
      if (operation.value === undefined) return store.journal.begin(entry.id, "step");
      return store.journal.record(entry.id, "step", operation.value);
    }
    case "commit": {
      const id = `m${operation.message}`;
      const entry = model.unanswered.get(id);
      if (entry === undefined) return;
      model.unanswered.delete(id);
      model.journal.delete(entry.id);
      model.said.push(id);
      model.waiting.push(id);
      await store.commitTurn({
        entry,
        reply: createReply(id),
        session: { appended: [{ role: "user", content: id }] },
        usage: [],
      });
      return;
    }
    case "commit-stale": {
      const entry = model.unanswered.get(`m${operation.message}`);
      if (entry === undefined) return;
      const stale = { ...entry, attempt: entry.attempt - 1 };
      const commit = {
        entry: stale,
        reply: createReply("stale"),
        session: { appended: [] },
        usage: [],
      };
      await expect(store.commitTurn(commit)).rejects.toMatchObject({ code: "STORE_FENCED" });
      return;
    }
    case "restart":
  }
}

async function takeOver(store: Store, model: Model): Promise<void> {
  const taken = await store.inbox.takeOver();
  const expected = model.order.flatMap((id) => {
    const entry = model.unanswered.get(id);
    return entry === undefined ? [] : [{ ...entry, attempt: entry.attempt + 1 }];
  });
  expect(taken).toEqual(expected);
  for (const entry of taken) model.unanswered.set(entry.message.platformMessageId, entry);
}

async function compare(store: Store, model: Model): Promise<void> {
  expect(await store.inbox.pending()).toBe(model.unanswered.size);
  expect((await store.sessions.load("session", 0)).messages.map(({ content }) => content)).toEqual(
    model.said,
  );
  expect((await store.outbox.waiting()).map((delivery) => delivery.message.content)).toEqual(
    model.waiting,
  );
  for (const entry of model.unanswered.values()) {
    const steps = [...(model.journal.get(entry.id) ?? [])].map(([step, value]) => {
      return { step, state: value === undefined ? "started" : "recorded", value };
    });
    expect(await store.journal.load(entry.id)).toEqual(steps);
  }
}
