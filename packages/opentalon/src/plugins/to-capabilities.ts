import type { Log } from "../base/log.ts";
import { truncateUtf8 } from "../base/unicode.ts";
import type { PluginCapabilities } from "../domain/plugin.ts";
import type { Tool, ToolParameter } from "../domain/tool.ts";
import { toToolName } from "../domain/tool.ts";

/** What a plugin says of itself, on either wire; nothing of it is checked yet. */
export interface ReportedCapabilities {
  readonly name: string;
  readonly description: string;
  readonly actions: readonly ReportedAction[];
  readonly systemPromptAddition: string;
  /** It wants to call actions of other plugins while it runs one. */
  readonly supportsCallbacks: boolean;
}

export type ReportedAction = Omit<Tool, "plugin" | "action"> & { readonly name: string };

const toolName = /^[a-zA-Z0-9_-]{1,64}$/;

const limits = {
  actions: 1_000,
  parameters: 100,
  contextArguments: 32,
  nameBytes: 128,
  descriptionBytes: 8_192,
  schemaBytes: 65_536,
  promptBytes: 65_536,
} as const;

/** Of the actions that are left out; a plugin may report millions. */
const maxExplained = 20;

/**
 * Makes what a plugin reported fit for use: the key stands in for a missing name, an action that cannot be called is
 * left out with a warning, texts and lists are bounded.
 */
export function toPluginCapabilities(
  reported: ReportedCapabilities,
  key: string,
  log: Log,
): PluginCapabilities {
  const name = reported.name === "" ? key : reported.name;
  const tools = new Map<string, Tool>();
  let leftOut = 0;
  for (const action of reported.actions) {
    const problem = findProblem(name, action.name, tools);
    if (problem === "") tools.set(action.name, toTool(name, action));
    else if ((leftOut += 1) <= maxExplained)
      log.warn(
        { action: action.name.slice(0, 100) },
        `An action of the plugin is left out: ${problem}`,
      );
  }
  if (leftOut > maxExplained)
    log.warn({ leftOut }, "More actions of the plugin are left out for such reasons");
  return {
    name,
    description: cut(reported.description, limits.descriptionBytes),
    tools: [...tools.values()],
    systemPromptAddition: cut(reported.systemPromptAddition, limits.promptBytes),
    supportsCallbacks: reported.supportsCallbacks,
  };
}

/** Whether any action could ever be called under this plugin name. */
export function isPluginName(name: string): boolean {
  return name !== "" && toolName.test(`${name}__a`);
}

function findProblem(plugin: string, action: string, known: ReadonlyMap<string, Tool>): string {
  if (known.size >= limits.actions) return `the plugin has more than ${limits.actions}`;
  if (action === "") return "it has no name";
  if (known.has(action)) return "its name is used twice";
  if (toolName.test(toToolName({ plugin, action }))) return "";
  return 'its full name needs 1 to 64 letters, digits, "_" or "-"';
}

function toTool(plugin: string, action: ReportedAction): Tool {
  return {
    plugin,
    action: action.name,
    description: cut(action.description, limits.descriptionBytes),
    parameters: action.parameters
      .filter(({ name }) => name !== "")
      .slice(0, limits.parameters)
      .map(toParameter),
    userOnly: action.userOnly,
    readOnly: action.readOnly,
    alwaysInclude: action.alwaysInclude,
    contextArguments: action.contextArguments
      .slice(0, limits.contextArguments)
      .map((name) => cut(name, limits.nameBytes)),
  };
}

function toParameter({ name, description, type, required, schema }: ToolParameter): ToolParameter {
  return {
    name: cut(name, limits.nameBytes),
    description: cut(description, limits.descriptionBytes),
    type: cut(type, limits.nameBytes),
    required,
    // Half a schema is worse than none.
    schema: Buffer.byteLength(schema) > limits.schemaBytes ? "" : schema,
  };
}

function cut(text: string, maxBytes: number): string {
  return truncateUtf8(text, maxBytes).text;
}
