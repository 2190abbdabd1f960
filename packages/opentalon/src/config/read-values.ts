import { isMap, isSeq, LineCounter, parseDocument } from "yaml";

/** Values of a small YAML file that is not the configuration. */
export interface ReadValues {
  /** `undefined` when there is a problem. */
  readonly value: unknown;
  /** What is wrong, with the line; empty when nothing is. */
  readonly problem: string;
  /** Line of the value at a path, 0 when there is none. */
  readonly lineOf: (path: readonly (string | number)[]) => number;
}

/** Reads a YAML text as plain values. Never throws. */
export function readValues(text: string): ReadValues {
  const lineCounter = new LineCounter();
  const fail = (problem: string): ReadValues => ({ value: undefined, problem, lineOf: () => 0 });
  try {
    const document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: "error" });
    const [error] = document.errors;
    if (error !== undefined) {
      const { line } = lineCounter.linePos(error.pos[0]);
      return fail(`line ${line}: this is not valid YAML (${error.message})`);
    }
    return {
      value: document.toJS({ maxAliasCount: 100 }),
      problem: "",
      lineOf: (path) => {
        const node: unknown = document.getIn(path, true);
        const start = isMap(node) || isSeq(node) ? node.range?.[0] : undefined;
        return start === undefined ? 0 : lineCounter.linePos(start).line;
      },
    };
  } catch (error) {
    // Aliases that multiply, and nesting that fills the stack.
    return fail(error instanceof Error ? error.message : String(error));
  }
}
