/**
 * Gets: a person and the plugin that is about to act for them. Gives: whether they may use it.
 * Never: takes anything but a clear yes for one; a failure, silence or nonsense is a no, and is asked again next time.
 */
import type { Clock } from "../base/clock.ts";
import type { CallHookAction } from "./run-preparers.ts";

export interface PermissionQuestion {
  readonly actor: string;
  readonly plugin: string;
}

export type CheckPermission = (
  question: PermissionQuestion,
  callAction: CallHookAction,
) => Promise<boolean>;

export interface PermissionCheckOptions {
  /** Its action `check` decides. */
  readonly permissionPlugin: string;
  readonly clock: Pick<Clock, "now">;
}

/** A model makes several calls in a row; somebody who loses a permission loses it within this time. */
const rememberedMs = 5_000;
const maxRemembered = 1_000;

/** Asks the permission plugin, and remembers for a few seconds what it clearly said. */
export function createPermissionCheck({
  permissionPlugin,
  clock,
}: PermissionCheckOptions): CheckPermission {
  const remembered = new Map<string, { readonly allowed: boolean; readonly untilMs: number }>();

  const remember = (key: string, allowed: boolean): void => {
    remembered.delete(key);
    remembered.set(key, { allowed, untilMs: clock.now() + rememberedMs });
    if (remembered.size <= maxRemembered) return;
    const oldest = remembered.keys().next().value;
    if (oldest !== undefined) remembered.delete(oldest);
  };

  return async ({ actor, plugin }, callAction) => {
    const key = JSON.stringify([actor, plugin]);
    const known = remembered.get(key);
    const leftMs = known === undefined ? 0 : known.untilMs - clock.now();
    // A clock that was set back must not make an answer last.
    if (known !== undefined && leftMs > 0 && leftMs <= rememberedMs) return known.allowed;
    remembered.delete(key);
    const step = { plugin: permissionPlugin, action: "check", arguments: { actor, plugin } };
    const result = await callAction(step, `permission-check-${plugin}`);
    const allowed = result.isError ? undefined : parseAnswer(result.content);
    if (allowed !== undefined) remember(key, allowed);
    return allowed === true;
  };
}

/** `true` and `false`, or the JSON `{"allowed": true}` and its opposite; `undefined` for anything else. */
function parseAnswer(content: string): boolean | undefined {
  const text = content.trim().toLowerCase();
  if (text === "true" || text === "false") return text === "true";
  try {
    const allowed = (JSON.parse(content) as { allowed?: unknown } | null)?.allowed;
    return typeof allowed === "boolean" ? allowed : undefined;
  } catch {
    return undefined;
  }
}
