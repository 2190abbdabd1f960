import type { ToolSpecification } from "../domain/model.ts";
import type { Execution, RawToolResult } from "../domain/plugin.ts";
import type { TranscriptMessage } from "../domain/session.ts";
import { metaPlugin, type Tool, toToolName } from "../domain/tool.ts";
import { createMetaTools, metaTools } from "../tools/catalogue/meta-tools.ts";
import { createToolOffer, toRoom, type ToolOffer } from "../tools/catalogue/offer-tools.ts";
import type { ToolRegistry } from "../tools/tool-registry.ts";
import { toToolSpecification } from "../tools/tool-specification.ts";

/** What the models of one turn may call. When there are too many tools, they load those they need. */
export interface TurnOffer {
  /** For the system prompt: tools that can be loaded; empty when all are told of. */
  readonly catalogue: string;
  /** What a model is told of that is shown these messages of the turn. */
  readonly toolsAt: (messages: readonly TranscriptMessage[]) => readonly ToolSpecification[];
  /** Full names of the same; `undefined` when nothing has to be loaded. */
  readonly callableAt: (messages: readonly TranscriptMessage[]) => ReadonlySet<string> | undefined;
}

export interface TurnOffers {
  /** Of a turn that begins after `history`. */
  readonly of: (history: readonly TranscriptMessage[]) => TurnOffer;
  /** Everything a model may be offered; of these plugins only, when given. */
  readonly tools: ToolRegistry["offered"];
  /** The same as models are told of it, with what helps them to find their way. */
  readonly specifications: () => ReadonlyMap<Tool, ToolSpecification>;
  readonly count: () => number;
  /** Runs what helps models to find their way. */
  readonly runMetaTool: (execution: Execution) => RawToolResult;
  /** A plugin has changed: what follows is worked out anew. */
  readonly forget: () => void;
}

export interface TurnOffersOptions {
  readonly registry: ToolRegistry;
  readonly isOffered: (tool: Tool) => boolean;
  /** How many tools a model is told of in full. */
  readonly maxTools: number;
}

/** What is offered as long as no plugin changes. */
interface OfferedNow {
  readonly tools: readonly Tool[];
  readonly specifications: ReadonlyMap<Tool, ToolSpecification>;
  readonly offer: ToolOffer;
}

export function createTurnOffers(options: TurnOffersOptions): TurnOffers {
  const { registry, isOffered, maxTools } = options;
  let known: OfferedNow | undefined;

  const findTools: ToolRegistry["offered"] = (plugins) =>
    registry.offered(plugins).filter((tool) => tool.plugin !== metaPlugin && isOffered(tool));

  const resolve = (name: string): Tool | undefined => {
    const found = registry.lookup(name);
    return found.kind === "found" ? found.tool : undefined;
  };

  const findOffer = (): OfferedNow => {
    if (known !== undefined) return known;
    const specifications = new Map<Tool, ToolSpecification>();
    for (const tool of [...metaTools, ...findTools()]) {
      const specification = toToolSpecification(tool);
      if (specification !== undefined) specifications.set(tool, specification);
    }
    const tools = [...specifications.keys()].filter(({ plugin }) => plugin !== metaPlugin);
    known = { tools, specifications, offer: createToolOffer({ tools, maxTools, resolve }) };
    return known;
  };

  return {
    of: (history) => {
      const { offer, specifications } = findOffer();
      const toolsAt = (messages: readonly TranscriptMessage[]): readonly Tool[] =>
        offer.toolsAt([...history, ...messages]);
      return {
        catalogue: offer.catalogue,
        toolsAt: (messages) => toolsAt(messages).flatMap((tool) => specifications.get(tool) ?? []),
        callableAt: (messages) =>
          offer.catalogue === "" ? undefined : new Set(toolsAt(messages).map(toToolName)),
      };
    },
    tools: findTools,
    specifications: () => findOffer().specifications,
    count: () => findOffer().tools.length,
    runMetaTool: createMetaTools({ tools: findTools, room: () => toRoom(findTools(), maxTools) }),
    forget: () => {
      known = undefined;
    },
  };
}
