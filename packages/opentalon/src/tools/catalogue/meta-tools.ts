import type { Execution, RawToolResult } from "../../domain/plugin.ts";
import { metaPlugin, type Tool, toToolName } from "../../domain/tool.ts";
import { findTools } from "./find-tools.ts";
import { toSummary } from "./to-summary.ts";

/** The action a model calls to be told of tools in full. */
export const loadToolsName = toToolName({ plugin: metaPlugin, action: "load_tools" });
export const findToolsName = toToolName({ plugin: metaPlugin, action: "find_tools" });

/** The host fills in what the person may use, so that nobody else's tools can be looked up. */
const allowedTools = "allowed_tools";
const maxFound = 20;

const parameter = (name: string, description: string): Tool["parameters"][number] => ({
  name,
  description,
  type: "string",
  required: true,
  schema: "",
});

const own = {
  plugin: metaPlugin,
  userOnly: false,
  readOnly: true,
  alwaysInclude: true,
  contextArguments: [allowedTools],
} as const;

/** What a model needs to find its way among more tools than it can be shown. */
export const metaTools: readonly Tool[] = [
  {
    ...own,
    action: "load_tools",
    description:
      "Loads tools by their full names, so that you can call them from your next step on. Load what the task needs, not more.",
    parameters: [parameter("names", "Full names of tools, separated by commas")],
  },
  {
    ...own,
    action: "find_tools",
    description: "Searches all tools by words of their names and descriptions.",
    parameters: [parameter("query", "What the tool should do, in a few words")],
  },
];

export interface MetaToolsOptions {
  /** Every tool a model may be offered, those for the model's own orientation excluded. */
  readonly tools: () => readonly Tool[];
  /** Most tools that can be loaded at a time. */
  readonly room: () => number;
}

/** Runs the actions of `metaTools`. */
export function createMetaTools({
  tools,
  room,
}: MetaToolsOptions): (execution: Execution) => RawToolResult {
  const load = (text: string, known: ReadonlyMap<string, Tool>): unknown => {
    const wanted = splitNames(text);
    const found = wanted.filter((name) => known.has(name));
    const loaded = found.slice(0, room());
    const failed = [
      ...wanted
        .filter((name) => !known.has(name))
        .map((name) => ({ name: name.slice(0, 100).toWellFormed(), reason: "no such tool" })),
      ...found.slice(loaded.length).map((name) => ({
        name,
        reason: `at most ${loaded.length} fit at a time; load it when you need it`,
      })),
    ];
    const instruction =
      loaded.length === 0
        ? `Nothing was loaded. Use names as they are listed, or search with ${findToolsName}.`
        : "Call them now. Tools you have not used for long may have to be loaded again.";
    return { loaded, failed, instruction };
  };

  const find = (query: string, known: ReadonlyMap<string, Tool>): unknown => {
    const found = findTools([...known.values()], query).slice(0, maxFound);
    return {
      tools: found.map((tool) => ({ name: toToolName(tool), description: toSummary(tool) })),
      instruction:
        found.length === 0
          ? "Nothing fits. Try other words, or do without a tool."
          : `Load those you need with ${loadToolsName}.`,
    };
  };

  return ({ action, arguments: args }) => {
    const allowed = new Set(JSON.parse(args[allowedTools] ?? "[]") as readonly string[]);
    const known = new Map(
      tools()
        .map((tool) => [toToolName(tool), tool] as const)
        .filter(([name]) => allowed.has(name)),
    );
    const answer =
      action === "load_tools" ? load(args["names"] ?? "", known) : find(args["query"] ?? "", known);
    return { content: JSON.stringify(answer), error: "", structuredContent: "" };
  };
}

const maxNames = 200;

/** Names as models write lists of them: with commas, in JSON, in quotes or on lines. */
export function splitNames(text: string): readonly string[] {
  const names = text.split(/[\s,;"'`[\]]+/).filter((name) => name !== "");
  return [...new Set(names)].slice(0, maxNames);
}
