import type { Log } from "../base/log.ts";
import { type Tool, toToolName } from "../domain/tool.ts";
import { isToolName, parseToolName, toSpellingKey, toVariantKeys } from "./tool-name.ts";

/** A place tools come from: the plugins, the skills, the scheduler. */
export interface ToolSource {
  /** What it has right now; asked again each time, because plugins come and go. Must not throw. */
  readonly tools: () => readonly Tool[];
}

export interface ToolRegistryOptions {
  /** Where two name the same tool, the earlier one has it. */
  readonly sources: readonly ToolSource[];
  readonly log: Pick<Log, "warn">;
}

export type ToolLookup =
  | { readonly kind: "found"; readonly tool: Tool }
  /** Not of the form `<plugin>__<action>`. */
  | { readonly kind: "malformed" }
  /** `similar`: names the model may have meant, at most five. */
  | { readonly kind: "unknown"; readonly similar: readonly string[] };

export interface ToolRegistry {
  /** The tool of exactly this name: for calls of the host, where another tool must never stand in. */
  readonly find: (name: string) => Tool | undefined;
  /** The tool a model means by `name`; spelling variants are tried, and one that fits several tools fits none. */
  readonly lookup: (name: string) => ToolLookup;
  /** All tools, those for people only included. */
  readonly list: () => readonly Tool[];
  /** What a model may be offered; of these plugins only, when given. */
  readonly offered: (plugins?: readonly string[]) => readonly Tool[];
}

const maxWarnings = 1_000;
const maxSimilar = 5;

export function createToolRegistry({ sources, log }: ToolRegistryOptions): ToolRegistry {
  const warned = new Set<string>();
  const warnOnce = (name: string, problem: string): void => {
    const key = `${name} ${problem}`;
    if (warned.has(key) || warned.size >= maxWarnings) return;
    warned.add(key);
    log.warn({ tool: name.slice(0, 200) }, problem);
  };

  const byName = (): Map<string, Tool> => {
    const tools = new Map<string, Tool>();
    for (const source of sources) {
      for (const tool of source.tools()) {
        const name = toToolName(tool);
        if (!isToolName(name)) {
          warnOnce(name, "tool left out: its name must be 1 to 64 letters, digits, _ and -");
        } else if (tools.has(name)) {
          warnOnce(name, "tool left out: another one has this name already");
        } else {
          tools.set(name, tool);
        }
      }
    }
    return tools;
  };

  return {
    find: (name) => byName().get(name),
    lookup: (name) => findTool(byName(), name),
    list: () => [...byName().values()],
    offered: (plugins) =>
      [...byName().values()].filter(
        (tool) => !tool.userOnly && (plugins === undefined || plugins.includes(tool.plugin)),
      ),
  };
}

function findTool(tools: ReadonlyMap<string, Tool>, name: string): ToolLookup {
  const exact = tools.get(name.trim());
  if (exact !== undefined) return { kind: "found", tool: exact };
  const parts = parseToolName(name);
  if (parts === undefined) return { kind: "malformed" };
  const split = tools.get(`${parts.plugin}__${parts.action}`);
  if (split !== undefined) return { kind: "found", tool: split };
  const keys = new Set(toVariantKeys(parts));
  const variants = [...tools].filter(([known]) => keys.has(toSpellingKey(known)));
  const [only] = variants;
  if (only !== undefined && variants.length === 1) return { kind: "found", tool: only[1] };
  return { kind: "unknown", similar: findSimilar(tools, variants, parts.plugin) };
}

function findSimilar(
  tools: ReadonlyMap<string, Tool>,
  variants: readonly (readonly [string, Tool])[],
  plugin: string,
): readonly string[] {
  const near =
    variants.length > 0 ? variants : [...tools].filter(([, tool]) => tool.plugin === plugin);
  return near
    .filter(([, tool]) => !tool.userOnly)
    .map(([name]) => name)
    .slice(0, maxSimilar);
}
