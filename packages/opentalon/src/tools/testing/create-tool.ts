import type { Tool, ToolParameter } from "../../domain/tool.ts";

/** A tool for tests: harmless unless told otherwise. */
export function createTool(more: Partial<Tool> = {}): Tool {
  return {
    plugin: "weather",
    action: "forecast",
    description: "Forecast for a city",
    parameters: [],
    userOnly: false,
    readOnly: false,
    alwaysInclude: false,
    contextArguments: [],
    ...more,
  };
}

/** A parameter for tests: an optional text unless told otherwise. */
export function createParameter(name: string, more: Partial<ToolParameter> = {}): ToolParameter {
  return { name, description: "", type: "", required: false, schema: "", ...more };
}
