import type { ToolSpecification } from "../domain/model.ts";
import { type Tool, type ToolParameter, toToolName } from "../domain/tool.ts";
import { cleanText } from "./guard/clean-text.ts";
import { neutralise } from "./guard/neutralise.ts";
import { type JsonSchema, parseParameterSchema, toJsonType } from "./parameter-schema.ts";

const maxDescriptionLength = 4_096;

/** The parameters a model may fill: all but those the host fills, and those whose very name is a trap. */
export function offeredParameters(tool: Tool): readonly ToolParameter[] {
  return tool.parameters.filter(({ name }) => {
    return (
      name !== "" && !tool.contextArguments.includes(name) && neutralise(cleanText(name)) === name
    );
  });
}

/**
 * A tool as a model is told of it; `undefined` for a tool no model is told of. Its words come from a plugin: they are
 * bounded and neutralised like its results.
 */
export function toToolSpecification(tool: Tool): ToolSpecification | undefined {
  if (tool.userOnly) return undefined;
  const parameters = offeredParameters(tool);
  const required = parameters.filter((parameter) => parameter.required).map(({ name }) => name);
  return {
    name: toToolName(tool),
    description: toDescription(tool.description),
    inputSchema: {
      type: "object",
      properties: Object.fromEntries(
        parameters.map((parameter) => [parameter.name, toProperty(parameter)]),
      ),
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
    },
  };
}

function toProperty(parameter: ToolParameter): JsonSchema {
  const schema = parseParameterSchema(parameter);
  const description = toDescription(parameter.description);
  if (schema === undefined) return { type: toJsonType(parameter.type), description };
  return typeof schema["description"] === "string" || description === ""
    ? schema
    : { ...schema, description };
}

function toDescription(text: string): string {
  return neutralise(cleanText(text)).slice(0, maxDescriptionLength).toWellFormed();
}
