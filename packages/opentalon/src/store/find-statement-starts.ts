/**
 * Where each statement of an SQL text begins, as offsets: at its first word, behind white space and comments. Meant for
 * messages; a text that is no SQL gives something, too.
 */
export function findStatementStarts(text: string): readonly number[] {
  const starts: number[] = [];
  let head: string[] = [];
  let before = "";
  let last = "";
  for (const match of text.matchAll(token)) {
    const found = match[0].toUpperCase();
    const isEmptyStatement = found === ";" && head.length === 0;
    if (isEmptyStatement || /^(?:\s|--|\/\*)/.test(found)) continue;
    if (head.length === 0) starts.push(match.index);
    if (head.length < 3) head.push(found);
    const isEnd = found === ";" && (!isTrigger(head) || (before === ";" && last === "END"));
    [before, last] = [last, found];
    if (isEnd) head = [];
  }
  return starts;
}

/** White space, a comment, something in quotes, a word, or any other character. */
const token =
  /\s+|--[^\n]*|\/\*[^]*?(?:\*\/|$)|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|[\w$]+|[^]/g;

/** The body of a trigger holds statements of its own, up to an END of its own. */
function isTrigger([first, second = "", third = ""]: readonly string[]): boolean {
  return (
    first === "CREATE" &&
    (second === "TRIGGER" || (/^TEMP(?:ORARY)?$/.test(second) && third === "TRIGGER"))
  );
}
