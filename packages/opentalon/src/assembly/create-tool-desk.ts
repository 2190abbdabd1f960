import { createIdentifier } from "../base/identifier.ts";
import type { ToolSpecification } from "../domain/model.ts";
import { toSessionKey } from "../domain/session.ts";
import type { Tool } from "../domain/tool.ts";
import type { ToolDesk } from "../domain/tool-desk.ts";
import type { CallTool } from "../tools/call-tool.ts";

export interface CreateToolDeskOptions {
  /** What models may be told of right now, each with how they are told. */
  readonly specifications: () => ReadonlyMap<Tool, ToolSpecification>;
  readonly callTool: CallTool;
}

/** A desk over the tools of this process, and how to tell it that they have changed. */
export interface ChangingToolDesk {
  readonly desk: ToolDesk;
  readonly change: () => void;
}

/** Channel of programs that call tools, as sessions and actors name it. */
const channel = "mcp";

export function createToolDesk({
  specifications,
  callTool,
}: CreateToolDeskOptions): ChangingToolDesk {
  const followers = new Set<() => void>();
  return {
    desk: {
      list: async () =>
        [...specifications()].map(([{ readOnly }, specification]) => ({
          ...specification,
          readOnly,
        })),
      call: ({ actor, name, arguments: args, signal }) =>
        callTool({
          call: { id: createIdentifier(), name, arguments: args },
          context: {
            actor,
            sessionKey: toSessionKey({ channel, conversationId: actor, threadId: "" }),
            conversationId: actor,
            encoding: "native",
            // A program of somebody's is held to what a model is held to.
            fromModel: true,
          },
          signal,
        }),
      follow: (onChange) => {
        // Each follower counts for itself, also when two hand in the same function.
        const follower = (): void => onChange();
        followers.add(follower);
        return { [Symbol.dispose]: () => void followers.delete(follower) };
      },
    },
    change: () => {
      for (const follower of followers) follower();
    },
  };
}
