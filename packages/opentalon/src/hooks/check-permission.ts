import type { CallHookAction } from "./run-preparers.ts";

/**
 * Asks the permission plugin's `check` whether `actor` may use `plugin`.
 * Only a clear yes counts: the text `true` or the JSON `{"allowed": true}`; an error, silence or anything else is a no.
 */
export async function checkPermission(
  permissionPlugin: string,
  { actor, plugin }: { readonly actor: string; readonly plugin: string },
  callAction: CallHookAction,
): Promise<boolean> {
  const step = { plugin: permissionPlugin, action: "check", arguments: { actor, plugin } };
  const result = await callAction(step, `permission-check-${plugin}`);
  if (result.isError) return false;
  const text = result.content.trim();
  if (text.toLowerCase() === "true") return true;
  try {
    return (JSON.parse(text) as { allowed?: unknown } | null)?.allowed === true;
  } catch {
    return false;
  }
}
