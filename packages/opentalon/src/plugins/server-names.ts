import type { Tool } from "../domain/tool.ts";

/**
 * A bridge stands for several servers and reports their actions as `<server>__<action>`. Each server counts as a plugin
 * of its own: permissions name it, and models see `<server>__<action>` without the bridge's name before it.
 */
export function toServerTool(tool: Tool, servers: ReadonlySet<string>): Tool {
  const end = tool.action.indexOf("__");
  const server = tool.action.slice(0, Math.max(0, end));
  const action = tool.action.slice(end + 2);
  return servers.has(server) && action !== "" ? { ...tool, plugin: server, action } : tool;
}

/** The action of a server as its bridge knows it. */
export function toBridgeAction(server: string, action: string): string {
  return `${server}__${action}`;
}
