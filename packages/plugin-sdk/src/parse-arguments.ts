import type { Parameter, ParameterType } from "./parameter.ts";

/**
 * Turns the text of each argument into the value its parameter declares. Arguments no parameter declares are left out.
 * @throws Error that names the argument, for the model to read.
 */
export function parseArguments(
  parameters: readonly Parameter[],
  args: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const { name, type, required } of parameters) {
    const text = Object.hasOwn(args, name) ? args[name] : undefined;
    if (text !== undefined) values[name] = parseArgument(name, type, text);
    else if (required) throw new Error(`the argument "${name}" is missing`);
  }
  return values;
}

function parseArgument(name: string, type: ParameterType, text: string): unknown {
  if (type === "string") return text;
  const value = parseJson(text.trim());
  if (isOfType(value, type)) return value;
  throw new Error(`the argument "${name}" must be ${inWords[type]}`);
}

function isOfType(value: unknown, type: Exclude<ParameterType, "string">): boolean {
  switch (type) {
    case "number":
      return typeof value === "number";
    case "integer":
      return Number.isSafeInteger(value);
    case "boolean":
      return typeof value === "boolean";
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
  }
}

const inWords: Readonly<Record<Exclude<ParameterType, "string">, string>> = {
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  array: "a JSON list",
  object: "a JSON object",
};

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
