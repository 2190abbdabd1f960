/**
 * Gets: all tools a model may use, and the conversation so far. Gives: those it is told of in full, and a list of the rest.
 * Never: remembers anything itself: what was loaded is read from the conversation, so that it is the same after a crash
 * and on every replica.
 */
import type { TranscriptMessage } from "../../domain/session.ts";
import { metaPlugin, type Tool, type ToolCall, toToolName } from "../../domain/tool.ts";
import { describeCatalogue } from "./describe-catalogue.ts";
import { loadToolsName, metaTools, splitNames } from "./meta-tools.ts";

/** What the models of one turn are offered. */
export interface ToolOffer {
  /** For the system prompt; empty when every tool is shown in full. */
  readonly catalogue: string;
  /** What the model is told of in full, `messages` being what it is shown of the conversation. */
  readonly toolsAt: (messages: readonly TranscriptMessage[]) => readonly Tool[];
}

export interface ToolOfferOptions {
  /** In a stable order. */
  readonly tools: readonly Tool[];
  /** How many are told of in full. */
  readonly maxTools: number;
  /** The tool meant by a name as a model wrote it. */
  readonly resolve: (name: string) => Tool | undefined;
}

/** However many tools want to be shown always, so many more can be loaded. */
const leastRoom = 10;

/** How many tools can be loaded at a time. */
export function toRoom(tools: readonly Tool[], maxTools: number): number {
  const always = tools.filter(({ alwaysInclude }) => alwaysInclude).length + metaTools.length;
  return Math.max(leastRoom, maxTools - always);
}

export function createToolOffer({ tools, maxTools, resolve }: ToolOfferOptions): ToolOffer {
  if (tools.length <= maxTools) return { catalogue: "", toolsAt: () => tools };
  const always = new Set(
    tools.filter(({ alwaysInclude }) => alwaysInclude).slice(0, Math.max(1, maxTools)),
  );
  const known = new Map(tools.map((tool) => [toToolName(tool), tool]));
  const room = toRoom(tools, maxTools);
  const find = (name: string): Tool | undefined => {
    const tool = known.get(name) ?? resolve(name);
    return tool?.plugin === metaPlugin ? tool : tool && known.get(toToolName(tool));
  };
  return {
    catalogue: describeCatalogue(tools.filter((tool) => !always.has(tool))),
    toolsAt: (messages) => {
      const loaded = new Set<Tool>();
      for (const tool of findUsed(messages, find).toReversed()) {
        if (loaded.size >= room) break;
        if (!always.has(tool)) loaded.add(tool);
      }
      // In the order of the registry: a prompt cache keeps what comes before the first change.
      return [...metaTools, ...tools.filter((tool) => always.has(tool) || loaded.has(tool))];
    },
  };
}

/** Tools that were loaded, or called with success, the newest last. */
function findUsed(
  messages: readonly TranscriptMessage[],
  find: (name: string) => Tool | undefined,
): readonly Tool[] {
  const used: Tool[] = [];
  // Identifiers of calls may come again in a later turn, so each result belongs to the last call before it.
  const calls = new Map<string, ToolCall>();
  for (const said of messages) {
    if (said.role === "assistant") for (const call of said.toolCalls) calls.set(call.id, call);
    if (said.role !== "tool" || said.isError) continue;
    const tool = find(said.tool);
    if (tool === undefined) continue;
    if (tool.plugin !== metaPlugin) used.push(tool);
    else if (toToolName(tool) === loadToolsName) {
      const names = calls.get(said.callId)?.arguments["names"];
      used.push(...splitNames(toText(names)).flatMap((name) => find(name) ?? []));
    }
  }
  return used.filter(({ plugin }) => plugin !== metaPlugin);
}

function toText(names: unknown): string {
  return Array.isArray(names) ? names.join(",") : typeof names === "string" ? names : "";
}
