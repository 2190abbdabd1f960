/**
 * Messages of the first wire generation, which old plugins still speak: length-prefixed JSON on the socket of the
 * handshake. The core opens any number of connections; on each, one request is followed by one response. There is no
 * configuration, no cancelling and no other method.
 */

/** From the core to the plugin. Members that are empty are left out. */
export interface GenerationZeroRequest {
  readonly method: "capabilities" | "execute";
  readonly id?: string;
  readonly plugin?: string;
  readonly action?: string;
  readonly args?: Readonly<Record<string, string>>;
}

/** From the plugin to the core. `call_id` may be empty when `error` is set: some plugins forget it there. */
export interface GenerationZeroResponse {
  readonly callId: string;
  readonly content: string;
  readonly error: string;
  readonly structuredContent: string;
  readonly capabilities: GenerationZeroCapabilities | undefined;
}

export interface GenerationZeroCapabilities {
  readonly name: string;
  readonly description: string;
  readonly actions: readonly GenerationZeroAction[];
  readonly systemPromptAddition: string;
}

export interface GenerationZeroAction {
  readonly name: string;
  readonly description: string;
  readonly parameters: readonly GenerationZeroParameter[];
  readonly userOnly: boolean;
  readonly readOnly: boolean;
  readonly alwaysInclude: boolean;
  readonly contextArguments: readonly string[];
}

export interface GenerationZeroParameter {
  readonly name: string;
  readonly description: string;
  readonly type: string;
  readonly required: boolean;
  readonly schema: string;
}

/**
 * Reads a response as tolerantly as the old plugins need: what is missing or of another type counts as empty, what is
 * unknown is left out.
 * @throws TypeError when it is not an object at all.
 */
export function parseGenerationZeroResponse(document: unknown): GenerationZeroResponse {
  if (!isObject(document)) throw new TypeError("the plugin's response is not a JSON object");
  return {
    callId: toText(document["call_id"]),
    content: toText(document["content"]),
    error: toText(document["error"]),
    structuredContent: toText(document["structured_content"]),
    capabilities: isObject(document["caps"]) ? parseCapabilities(document["caps"]) : undefined,
  };
}

function parseCapabilities(capabilities: JsonObject): GenerationZeroCapabilities {
  return {
    name: toText(capabilities["name"]),
    description: toText(capabilities["description"]),
    actions: toList(capabilities["actions"]).filter(isObject).map(parseAction),
    systemPromptAddition: toText(capabilities["system_prompt_addition"]),
  };
}

function parseAction(action: JsonObject): GenerationZeroAction {
  return {
    name: toText(action["name"]),
    description: toText(action["description"]),
    parameters: toList(action["parameters"]).filter(isObject).map(parseParameter),
    userOnly: action["user_only"] === true,
    readOnly: action["read_only"] === true,
    alwaysInclude: action["always_include"] === true,
    contextArguments: toList(action["inject_context_args"])
      .map(toText)
      .filter((name) => name !== ""),
  };
}

function parseParameter(parameter: JsonObject): GenerationZeroParameter {
  return {
    name: toText(parameter["name"]),
    description: toText(parameter["description"]),
    type: toText(parameter["type"]),
    required: parameter["required"] === true,
    schema: toText(parameter["schema"]),
  };
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** JSON can escape half a surrogate pair, which no UTF-8 text can hold. */
function toText(value: unknown): string {
  return typeof value === "string" ? value.toWellFormed() : "";
}
