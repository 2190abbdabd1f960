/** A text that is still being written, with the marks closed that its last paragraph has open, so that what they mean shows. */
export function closeOpenMarks(markdown: string): string {
  const start = markdown.lastIndexOf("\n\n") + 1;
  const last = markdown.slice(start);
  const isInCode = (markdown.match(/^ {0,3}(?:```|~~~)/gm) ?? []).length % 2 === 1;
  if (isInCode || last.length > longestParagraph) return markdown;
  const before = markdown.slice(0, start);
  // An address that is not there yet is not shown.
  const shown = last
    .replace(/!?\[([^\][\n]{0,200})\]\([^()\s]{0,2000}$/, "$1")
    .replace(/\s*(?:\*{1,3}|_{1,3}|~~|`+)$/, (marks) => (isOpening(last, marks) ? "" : marks));
  const withoutCode = shown.replaceAll(/`[^`\n]*`/g, "");
  if (withoutCode.includes("`")) return `${before}${shown.trimEnd()}\``;
  const bold = (withoutCode.match(/\*\*/g) ?? []).length;
  return bold % 2 === 1 ? `${before}${shown.trimEnd()}**` : before + shown;
}

const longestParagraph = 4_000;

/** Marks at the very end that have white space before them begin something. */
function isOpening(text: string, marks: string): boolean {
  return /^\s/.test(marks) || text.length === marks.length;
}
