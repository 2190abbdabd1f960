import type { Expansion } from "./key.ts";

/** Environment variables, handed in. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Expanded {
  readonly text: string;
  /** Variables whose value is in `text`. */
  readonly used: readonly string[];
  /** Variables that are not set; they stand in `text` as they were written. */
  readonly unset: readonly string[];
}

/**
 * Replaces `${NAME}` by the variable's value. There are no defaults, no escapes and no second round. With `shell`,
 * `$NAME` is replaced as well and what is not set becomes empty.
 */
export function expandVariables(
  text: string,
  expansion: Expansion,
  environment: Environment,
): Expanded {
  if (expansion === "none" || !text.includes("$")) return { text, used: [], unset: [] };
  const used: string[] = [];
  const unset: string[] = [];
  const pattern = expansion === "braces" ? /\$\{([^}]+)\}/g : /\$\{([^}]+)\}|\$([A-Za-z_]\w*)/g;
  const replaced = text.replace(pattern, (written: string, braced?: string, plain?: string) => {
    const name = braced ?? plain ?? "";
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value !== undefined) {
      used.push(name);
      return value;
    }
    if (expansion === "shell") return "";
    unset.push(name);
    return written;
  });
  return { text: replaced, used, unset };
}
