import type { ToolSpecification } from "../domain/model.ts";
import { isObject } from "./parameter-schema.ts";

/** The part of a prompt that lists tools and says how to call one, for models without tool calls of their own. */
export function renderTools(tools: readonly ToolSpecification[]): string {
  if (tools.length === 0) return "";
  return [
    "# Tools",
    "",
    "To use a tool, answer with a call of exactly this form, on a line of its own, and nothing after it:",
    "",
    '[tool_call]{"tool":"<name>","args":{"<argument>":"<value>"}}[/tool_call]',
    "",
    "You may write several calls one after another. Their results come back to you before the person sees anything. Use only the tools listed here, with only the arguments listed with them.",
    "",
    ...tools.map(renderTool),
  ].join("\n");
}

function renderTool({ name, description, inputSchema }: ToolSpecification): string {
  const properties = isObject(inputSchema["properties"]) ? inputSchema["properties"] : {};
  const required: readonly unknown[] = Array.isArray(inputSchema["required"])
    ? inputSchema["required"]
    : [];
  const lines = Object.entries(properties).map(([argument, schema]) => {
    const { description: words, ...shape } = isObject(schema) ? schema : {};
    const kind =
      Object.keys(shape).length === 1 && typeof shape["type"] === "string"
        ? shape["type"]
        : JSON.stringify(shape);
    const need = required.includes(argument) ? ", required" : "";
    const meaning = typeof words === "string" && words !== "" ? `: ${toOneLine(words)}` : "";
    return `  - ${argument} (${kind}${need})${meaning}`;
  });
  return [`- ${name}: ${toOneLine(description)}`, ...lines].join("\n");
}

function toOneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
