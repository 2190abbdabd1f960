import { vi } from "vitest";

/** Waits for what takes a moment; on a machine with much to do it may be a long one. */
export function eventually<Value>(check: () => Value | Promise<Value>): Promise<Value> {
  return vi.waitFor(check, { timeout: 15_000 });
}
