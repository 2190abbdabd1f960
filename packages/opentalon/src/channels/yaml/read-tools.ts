import type { ChannelTool } from "../../domain/channel.ts";
import { openDefinition } from "./definition-cursor.ts";

/**
 * The tools a `tools_file` describes.
 * @throws ChannelError CHANNEL_MISCONFIGURED with file, line and key.
 */
export function readTools(
  file: string,
  text: string,
): { readonly tools: readonly ChannelTool[]; readonly warnings: readonly string[] } {
  const { items, findUnread, warnings } = openDefinition(file, text);
  let plugin = "";
  const descriptions = new Map<string, string>();
  const tools = items.map((item): ChannelTool => {
    plugin = item.required("plugin");
    // Only the first action of a plugin has to describe it.
    const description = item.text("description", descriptions.get(plugin) ?? "");
    descriptions.set(plugin, description);
    const headers = item.map("headers");
    return {
      plugin,
      description,
      action: item.required("action"),
      actionDescription: item.text("action_description"),
      method: item.text("method", "GET").toUpperCase(),
      url: item.required("url"),
      body: item.text("body"),
      headers: Object.fromEntries(
        (headers?.keys() ?? []).map((name) => [name, headers?.text(name) ?? ""]),
      ),
      requiredEnvironment: item.texts("required_env"),
      parameters: item.maps("parameters").map((parameter) => ({
        name: parameter.required("name"),
        description: parameter.text("description"),
        required: parameter.flag("required", false),
      })),
    };
  });
  return { tools, warnings: [...warnings, ...findUnread()] };
}
