/** A line that cannot move the cursor, colour the terminal or begin another line. */
export function toPrintableLine(text: string): string {
  return text
    .trimEnd()
    .replaceAll(/\u001b\[[0-9;:?]{0,32}[A-Za-z]/g, "")
    .replaceAll("\t", "  ")
    .replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "�");
}

/** The same of a text that keeps its lines. */
export function toPrintableText(text: string): string {
  return text.split("\n").map(toPrintableLine).join("\n");
}
