import type { HookEffect, HookRecord } from "../domain/hook.ts";

/** Notes when a hook began; the result is called with what it did. */
export function startReport(
  hook: string,
  { onHook }: { readonly onHook?: ((record: HookRecord) => void) | undefined },
): (effect: HookEffect) => void {
  const startedAtMs = performance.now();
  return (effect) =>
    onHook?.({
      hook,
      effect,
      microseconds: Math.round((performance.now() - startedAtMs) * 1_000),
    });
}
