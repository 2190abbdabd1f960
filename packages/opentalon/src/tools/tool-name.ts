/** A tool's name taken apart: `<plugin>__<action>`. */
export interface ToolNameParts {
  readonly plugin: string;
  readonly action: string;
}

/**
 * Splits a name as models write it: at the last `.` when there is one (an older spelling), else at the first `__`.
 * `undefined` when either part would be empty.
 */
export function parseToolName(name: string): ToolNameParts | undefined {
  const text = name.trim();
  const dot = text.lastIndexOf(".");
  const at = dot >= 0 ? dot : text.indexOf("__");
  const plugin = text.slice(0, at);
  const action = text.slice(at + (dot >= 0 ? 1 : 2));
  return at > 0 && action !== "" ? { plugin, action } : undefined;
}

/** Whether every model provider accepts it: 1 to 64 letters, digits, `_` and `-`. */
export function isToolName(name: string): boolean {
  return /^[a-zA-Z0-9_-]{1,64}$/.test(name);
}

/** The same for all spellings that differ only in `_` and `-` inside the parts between `__`. */
export function toSpellingKey(name: string): string {
  return name
    .split("__")
    .map((part) => part.replaceAll("-", "_"))
    .join("__");
}

/**
 * Spelling keys under which a tool may be meant that is not found under its exact name: as written, with the plugin's
 * name put before the action once more, and with such a repetition taken away.
 */
export function toVariantKeys({ plugin, action }: ToolNameParts): readonly string[] {
  const keys = [`${plugin}__${action}`, `${plugin}__${plugin}__${action}`].map(toSpellingKey);
  const prefix = `${toSpellingKey(plugin)}__`;
  const actionKey = toSpellingKey(action);
  if (actionKey.startsWith(prefix) && actionKey.length > prefix.length) keys.push(actionKey);
  return keys;
}
