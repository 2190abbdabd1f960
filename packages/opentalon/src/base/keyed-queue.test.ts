import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createKeyedQueue } from "./keyed-queue.ts";
import { createLimiter } from "./limiter.ts";

const pass = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the keyed queue", () => {
  it("keeps the order of each key, never runs one key twice at once, and stays within its bound", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(4), fc.nat(3)), { maxLength: 40 }),
        fc.integer({ min: 1, max: 4 }),
        async (tasks, concurrency) => {
          const queue = createKeyedQueue({
            concurrency,
            onError: (error) => expect.unreachable(String(error)),
          });
          const running = new Set<number>();
          const order = new Map<number, number[]>();
          for (const [index, [key, passes]] of tasks.entries()) {
            queue.add(String(key), async () => {
              expect(running.has(key)).toBe(false);
              running.add(key);
              expect(running.size).toBeLessThanOrEqual(concurrency);
              for (let count = 0; count < passes; count += 1) await pass();
              order.set(key, [...(order.get(key) ?? []), index]);
              running.delete(key);
            });
          }
          await queue.idle();
          expect(queue.size()).toBe(0);
          expect([...order.values()].flat()).toHaveLength(tasks.length);
          for (const indexes of order.values())
            expect(indexes).toEqual(indexes.toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("goes on after a task that failed, and reports it", async () => {
    const errors: unknown[] = [];
    const done: string[] = [];
    const queue = createKeyedQueue({ concurrency: 1, onError: (error) => errors.push(error) });
    queue.add("a", () => Promise.reject(new Error("broken")));
    queue.add("a", () => Promise.resolve(void done.push("next")));
    await queue.idle();
    expect([String(errors[0]), done]).toEqual(["Error: broken", ["next"]]);
  });

  it("drops what waits when it is cleared, and lets what runs finish", async () => {
    const done: string[] = [];
    const gate = Promise.withResolvers<void>();
    const queue = createKeyedQueue({ concurrency: 1, onError: () => undefined });
    queue.add("a", async () => {
      await gate.promise;
      done.push("running");
    });
    queue.add("a", () => Promise.resolve(void done.push("waiting")));
    queue.add("b", () => Promise.resolve(void done.push("waiting too")));
    queue.clear();
    gate.resolve();
    await queue.idle();
    expect(done).toEqual(["running"]);
  });
});

describe("the limiter", () => {
  it("never lets more in than its bound, also when places are handed over", async () => {
    const limit = createLimiter(3);
    let running = 0;
    let most = 0;
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        limit(async () => {
          running += 1;
          most = Math.max(most, running);
          await pass();
          running -= 1;
          return index;
        }),
      ),
    );
    expect(most).toBe(3);
    expect(results).toEqual(Array.from({ length: 50 }, (_, index) => index));
  });
});
