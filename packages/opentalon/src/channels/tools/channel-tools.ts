/**
 * Gets: tools that channels bring along, as templates of HTTP requests. Gives: tools a model may call.
 * Never: fills a template with what the operator did not give to its channel, or sends a request where a model says.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { ChannelTool } from "../../domain/channel.ts";
import type { Execution, RawToolResult } from "../../domain/plugin.ts";
import type { Tool } from "../../domain/tool.ts";
import { toPluginCapabilities } from "../../plugins/to-capabilities.ts";

/** Variables of the environment a channel's templates may name. */
export type ChannelEnvironment = (name: string) => string | undefined;

export interface ChannelTools {
  /** What the channel brings along from now on, in place of what it brought before. */
  readonly offer: (
    channel: string,
    tools: readonly ChannelTool[],
    environment: ChannelEnvironment,
  ) => void;
  readonly tools: () => readonly Tool[];
  readonly has: (tool: Pick<Tool, "plugin" | "action">) => boolean;
  /** Makes the request. A refusal is a result with `error`; rejects when `has` says no. */
  readonly execute: (plugin: string, execution: Execution) => Promise<RawToolResult>;
  /** Called after each `offer`. */
  readonly onChange: (listener: () => void) => void;
  /** Ends what is under way. */
  readonly close: () => void;
}

export interface ChannelToolsOptions {
  readonly clock: Clock;
  readonly log: Log;
}

/** The actions of one channel under one name. */
interface Group {
  readonly channel: string;
  readonly tools: readonly Tool[];
  readonly templates: ReadonlyMap<string, ChannelTool>;
  readonly environment: ChannelEnvironment;
}

export function createChannelTools({ clock, log }: ChannelToolsOptions): ChannelTools {
  const groups = new Map<string, Group>();
  const listeners: (() => void)[] = [];
  let running: Promise<RunningTools> | undefined;

  /** Of two channels of one platform the second has its own name in front of its actions. */
  const chooseName = (wanted: string, channel: string): string | undefined =>
    [wanted, toName(channel)].find((name) => name !== "" && !groups.has(name));

  return {
    offer: (channel, tools, environment) => {
      for (const [name, group] of groups) if (group.channel === channel) groups.delete(name);
      for (const wanted of new Set(tools.map(({ plugin }) => plugin))) {
        const name = chooseName(wanted, channel);
        if (name === undefined) {
          log.warn(
            { channel, tool: wanted },
            "the tools of a channel are left out: their name is taken",
          );
          continue;
        }
        const own = tools.filter(({ plugin }) => plugin === wanted);
        const told = toPluginCapabilities(toReported(name, own), name, log);
        const templates = new Map(own.map((tool) => [tool.action, tool]));
        groups.set(name, { channel, tools: told.tools, templates, environment });
      }
      for (const listener of listeners) listener();
    },
    tools: () => [...groups.values()].flatMap((group) => group.tools),
    has: ({ plugin, action }) => groups.get(plugin)?.templates.has(action) === true,
    execute: async (plugin, execution) => {
      const group = groups.get(plugin);
      const template = group?.templates.get(execution.action);
      if (group === undefined || template === undefined)
        throw new Error(`no channel has the tool ${plugin}__${execution.action}`);
      running ??= import("./run-channel-tool.ts").then((loaded) =>
        loaded.createRunningTools(clock),
      );
      return (await running).run({ template, environment: group.environment, execution });
    },
    onChange: (listener) => void listeners.push(listener),
    close: () => void running?.then((tools) => tools.close()),
  };
}

type RunningTools = ReturnType<(typeof import("./run-channel-tool.ts"))["createRunningTools"]>;

function toReported(
  name: string,
  tools: readonly ChannelTool[],
): Parameters<typeof toPluginCapabilities>[0] {
  return {
    name,
    description: tools[0]?.description ?? "",
    systemPromptAddition: "",
    supportsCallbacks: false,
    actions: tools.map(({ action, actionDescription, method, parameters }) => ({
      name: action,
      description: actionDescription,
      parameters: parameters.map((parameter) => ({ ...parameter, type: "string", schema: "" })),
      userOnly: false,
      readOnly: method === "GET" || method === "HEAD",
      alwaysInclude: false,
      contextArguments: [],
    })),
  };
}

function toName(channel: string): string {
  return channel.replaceAll(/[^a-zA-Z0-9_-]+/g, "-");
}
