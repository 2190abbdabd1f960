const maxLines = 40;
const maxLineLength = 300;

/**
 * Says in a few lines how a text is not what was expected: lines only expected begin with `-`, lines only there with `+`,
 * and what both have in common at the beginning and end is left out.
 */
export function describeDifference(
  what: string,
  expected: string,
  actual: string,
): readonly string[] {
  const wanted = expected.split("\n");
  const got = actual.split("\n");
  const least = Math.min(wanted.length, got.length);
  let start = 0;
  while (start < least && wanted[start] === got[start]) start += 1;
  let end = 0;
  while (end < least - start && wanted.at(-1 - end) === got.at(-1 - end)) end += 1;
  const place = wanted.length > 1 ? `, from its line ${start + 1}` : "";
  const show = (sign: string, lines: readonly string[]): readonly string[] =>
    lines.slice(start, lines.length - end).map((line) => `${sign} ${toVisible(line)}`);
  const lines = [...show("-", wanted), ...show("+", got)];
  const more = lines.length > maxLines ? [`… ${lines.length - maxLines} more lines`] : [];
  return [`${what} is different${place}:`, ...lines.slice(0, maxLines), ...more];
}

/** Spaces at the end and characters without a width are what one looks for in vain. */
function toVisible(line: string): string {
  const cut = line.length > maxLineLength ? `${line.slice(0, maxLineLength)}…` : line;
  const hex = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  return cut
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, (each) => (each === "\t" ? "\\t" : hex(each)))
    .replace(/ +$/, (spaces) => "·".repeat(spaces.length));
}
