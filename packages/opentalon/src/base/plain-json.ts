/** Deeper values are no request to anybody; writing them down would take more stack than there is. */
const maxDepth = 100;

/**
 * Reads JSON that somebody else wrote so that it can be written down again anywhere: half characters become U+FFFD.
 * @throws SyntaxError, RangeError for values nested deeper than 100 levels.
 */
export function parsePlainJson(text: string): unknown {
  return toPlain(JSON.parse(text), maxDepth);
}

function toPlain(value: unknown, depthLeft: number): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null) return value;
  if (depthLeft === 0) throw new RangeError("nested too deep");
  if (Array.isArray(value)) return value.map((item) => toPlain(item, depthLeft - 1));
  const entries = Object.entries(value).map(
    ([name, item]) => [name.toWellFormed(), toPlain(item, depthLeft - 1)] as const,
  );
  return Object.fromEntries(entries);
}
