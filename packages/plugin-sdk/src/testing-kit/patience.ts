import { setTimeout as sleep } from "node:timers/promises";

/** Resolves to what `task` gives, or to `undefined` after `timeoutMs`; never leaves a timer. */
export async function within<Value>(
  timeoutMs: number,
  task: Promise<Value>,
): Promise<Value | undefined> {
  const given = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: given.signal }).catch(() => undefined);
  try {
    return await Promise.race([task, late]);
  } finally {
    given.abort();
  }
}

/** Asks again and again until `isTrue`, for `timeoutMs` at most; whether it became true. */
export async function becomes(timeoutMs: number, isTrue: () => boolean): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  while (!isTrue()) {
    if (performance.now() >= endMs) return false;
    await sleep(10);
  }
  return true;
}
