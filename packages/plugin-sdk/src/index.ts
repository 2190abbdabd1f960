import { redirectConsole } from "./own-process.ts";

// On import, because an author's first `console.log` may come before `serveTool`.
redirectConsole();

export type {
  ActionDefinition,
  ActionResult,
  ArgumentsOf,
  CallContext,
  ParameterDefinition,
  ParameterDefinitions,
  ParameterType,
  ToolDefinition,
} from "./define-tool.ts";
export { serveTool } from "./serve-tool.ts";
