import { McpServer } from "@modelcontextprotocol/server";
import type { CallToolResult, Tool } from "@modelcontextprotocol/server";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Actor } from "../../domain/actor.ts";
import type { DeskTool, ToolDesk } from "../../domain/tool-desk.ts";

export interface McpServerOptions {
  readonly desk: ToolDesk;
  /** In whose name the client calls. */
  readonly actor: Actor;
  readonly version: string;
  readonly log: Pick<Log, "info" | "warn">;
}

const maxCallsAtOnce = 64;

/**
 * Gets: a desk. Gives: servers of the Model Context Protocol over it, one for each client, which share a bound of calls.
 * Never: offers a client more than a model, or tells it what is in the log.
 */
export function createMcpServers({ desk, actor, version, log }: McpServerOptions): () => McpServer {
  let calls = 0;

  const call = async (
    name: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<CallToolResult> => {
    if (calls >= maxCallsAtOnce)
      return toResult(`${calls} calls are under way already; try again later`, true);
    calls += 1;
    try {
      const { content, isError } = await desk.call({ actor, name, arguments: args, signal });
      log.info({ tool: name.slice(0, 200), actor, isError }, "a client of MCP called a tool");
      return toResult(content, isError);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ tool: name.slice(0, 200), problem: toMessage(error) }, "a call of MCP failed");
      return toResult("the tool could not be called; the log of OpenTalon says why", true);
    } finally {
      calls -= 1;
    }
  };

  return () => {
    const mcp = new McpServer(
      { name: "opentalon", version },
      { capabilities: { tools: { listChanged: true } } },
    );
    // What is there is data and comes and goes, which the higher level of the library is not made for.
    const { server } = mcp;
    server.setRequestHandler("tools/list", async () => ({
      tools: (await desk.list()).map(toTool),
    }));
    server.setRequestHandler("tools/call", ({ params }, { mcpReq }) =>
      call(params.name, params.arguments ?? {}, mcpReq.signal),
    );
    return mcp;
  };
}

function toTool({ name, description, inputSchema, readOnly }: DeskTool): Tool {
  return {
    name,
    description,
    inputSchema: inputSchema as Tool["inputSchema"],
    annotations: { readOnlyHint: readOnly },
  };
}

function toResult(text: string, isError: boolean): CallToolResult {
  return { content: [{ type: "text", text }], isError };
}
