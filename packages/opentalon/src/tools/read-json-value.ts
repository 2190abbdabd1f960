/**
 * Where the JSON object, list or text that starts at `start` ends (exclusive), by its brackets and quotes alone;
 * `undefined` when it does not end.
 */
export function readJsonValue(text: string, start: number): number | undefined {
  let depth = 0;
  let inText = false;
  for (let index = start; index < text.length; index += 1) {
    const character = text[index];
    if (inText) {
      if (character === "\\") index += 1;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") depth -= 1;
    if (depth <= 0 && !inText) return index + 1;
  }
  return undefined;
}
