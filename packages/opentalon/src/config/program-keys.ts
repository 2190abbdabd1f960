import type { Secret } from "../base/secret.ts";
import type { Key } from "./key.ts";
import { assignment, list, text } from "./keys.ts";

export interface Assignment {
  readonly name: string;
  readonly value: string | Secret;
}

/** What to run: a path, or a path and arguments. */
export function program(common: {
  readonly about: string;
  readonly formerly?: readonly string[];
}): Key<readonly string[], ""> {
  return list({
    ...common,
    orText: true,
    item: { ...text({ about: "", expands: "braces" }), path: "program" },
    expands: "braces",
  });
}

/** Environment of a program. */
export function environment(common: { readonly about: string }): Key<readonly Assignment[], ""> {
  return list({ ...common, item: assignment({ about: "", expands: "braces" }) });
}

/** A program, taken apart. */
interface Program {
  /** Path of the program or `grpc://` address; empty when there is none. */
  readonly plugin: string;
  readonly arguments: readonly string[];
  readonly env: Readonly<Record<string, string | Secret>>;
}

/** What `program` and `environment` read, as it is used. */
export function toProgram(written: {
  readonly plugin: readonly string[];
  readonly env: readonly Assignment[];
}): Program {
  const [plugin = "", ...rest] = written.plugin;
  return { plugin, arguments: rest, env: toVariables(written.env) };
}

/** What `environment` reads, by name. */
export function toVariables(
  assignments: readonly Assignment[],
): Readonly<Record<string, string | Secret>> {
  return Object.fromEntries(assignments.map(({ name, value }) => [name, value]));
}
