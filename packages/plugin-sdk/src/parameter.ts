/** JSON types an argument can have. On the wire all are text; `run` gets the real thing. */
export type ParameterType = "string" | "number" | "integer" | "boolean" | "object" | "array";

/** A parameter with all its members. */
export interface Parameter {
  readonly name: string;
  readonly description: string;
  readonly type: ParameterType;
  readonly required: boolean;
  readonly schema: string;
}
