/** Plugin-declared parameter of an action. */
export interface ToolParameter {
  readonly name: string;
  readonly description: string;
  /** JSON Schema type name; empty means string. */
  readonly type: string;
  readonly required: boolean;
  /** JSON Schema of the value as text; empty when the plugin gave none. */
  readonly schema: string;
}

/** One action of one plugin, as the model may call it. */
export interface Tool {
  readonly plugin: string;
  readonly action: string;
  readonly description: string;
  readonly parameters: readonly ToolParameter[];
  /** Never offered to the model. */
  readonly userOnly: boolean;
  /** Safe to repeat: it changes nothing. */
  readonly readOnly: boolean;
  readonly alwaysInclude: boolean;
  /** Names of arguments the host fills in (`session_id`, `conversation_id`, …). */
  readonly contextArguments: readonly string[];
}

/** Name under which OpenTalon offers what helps a model to find its way among tools. */
export const metaPlugin = "_meta";

/** A call as the model made it; `arguments` is its JSON object, not yet validated. */
export interface ToolCall {
  readonly id: string;
  /** Name as the model wrote it, canonically `<plugin>__<action>`. */
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Raw argument text, kept when it was not a JSON object; the call is then refused with an explanation. */
  readonly invalidArguments?: string | undefined;
}

/** What a call gave, after the guard. A failing tool is a result, not an exception. */
export interface ToolResult {
  readonly content: string;
  readonly isError: boolean;
  /** No plugin was asked: the content is OpenTalon's own. */
  readonly byHost?: boolean | undefined;
  /** Set when a person had to agree to the call. */
  readonly consent?: CallConsent | undefined;
}

/** What became of a call that needs a person's word. */
export interface CallConsent {
  /** `awaited`: it was not made, and is made once when `actor` agrees with the next message; `given`: it was made. */
  readonly state: "awaited" | "given";
  /** Who is asked. */
  readonly actor: string;
  /** The action and its very arguments, see `toCallDigest`. */
  readonly call: string;
  /** The operator has such calls confirmed; absent when the output of a tool asked for the call. */
  readonly why?: "confirmation" | undefined;
}

/** The canonical name of an action. */
export function toToolName(tool: Pick<Tool, "plugin" | "action">): string {
  return `${tool.plugin}__${tool.action}`;
}
