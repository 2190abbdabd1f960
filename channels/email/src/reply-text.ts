/**
 * What a person wrote in a mail: without the signature, and, in a reply, without the history below or above it. What mail
 * programs write around history is known in English and German; where nothing is recognised, nothing is taken away.
 */

/** How a reply is introduced, over one to three lines: “On 3 May 2026, Ann <ann@…> wrote:”. */
const introductions = [
  /^On\b.{1,300}\bwrote:$/i,
  /^Am\b.{1,300}\b(?:schrieb\b.{0,200}|geschrieben):$/i,
  /^.{1,200}\b(?:wrote on|schrieb am)\b.{1,100}:$/i,
  /^.{1,200}<[^<>\s]+@[^<>\s]+>\s?(?:wrote|schrieb):$/i,
];

/** Lines below which nothing is the person's own. */
const dividers =
  /^[-_*\s]*(?:original message|original appointment|forwarded message|reply message|ursprüngliche nachricht|original-?nachricht|weitergeleitete nachricht|ursprünglicher termin)[-_*\s]*$/i;
const firstHeader = /^[*\s]*(?:From|Von)[*\s]*:[*\s]*\S/i;
const otherHeader = /^[*\s]*(?:Sent|Gesendet|Date|Datum|To|An|Cc|Subject|Betreff)[*\s]*:[*\s]*\S/i;

/** What telephones put below a mail by themselves. */
const deviceSignature =
  /^(?:sent from (?:my |outlook|mail|yahoo|proton|samsung)|get outlook for|von meinem .{1,40} gesendet|gesendet (?:mit|von) (?:meinem|der|dem|outlook|mail)|diese nachricht wurde von meinem|holen sie sich outlook|outlook für (?:ios|android))/i;
const deviceSignatureLines = 3;

export interface WrittenMail {
  readonly text: string;
  /** It answers another mail, and was not passed on. */
  readonly isReply: boolean;
}

export function toOwnWords({ text, isReply }: WrittenMail): string {
  const whole = text.replaceAll(/\r\n?/g, "\n").replaceAll("\u00a0", " ").trim();
  const all = whole.split("\n").map((line) => line.trimEnd());
  const own = isReply ? withoutHistory(all) : all;
  return withoutSignature(own)
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim();
}

function withoutHistory(lines: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? "";
    if (dividers.test(line) || isOutlookHistory(lines, index)) return kept;
    const length = introductionLength(lines, index);
    if (length > 0) {
      const next = lines[nextWords(lines, index + length)];
      // Answers may stand between what they answer; history that is not marked ends the mail.
      if (next === undefined || !next.startsWith(">")) return kept;
      index += length - 1;
    } else if (!line.startsWith(">")) kept.push(line);
  }
  return kept;
}

/** The first of the next few lines that is not empty. */
function nextWords(lines: readonly string[], from: number): number {
  let index = from;
  while (index < from + 5 && lines[index] === "") index += 1;
  return index;
}

/** How many lines an introduction takes that begins here; 0 when none does. */
function introductionLength(lines: readonly string[], index: number): number {
  if (lines[index] === "") return 0;
  for (const length of [1, 2, 3]) {
    const joined = lines.slice(index, index + length).join(" ");
    if (joined.length > 600 || (length > 1 && lines[index + length - 1] === "")) return 0;
    if (joined.endsWith(":") && introductions.some((form) => form.test(joined))) return length;
  }
  return 0;
}

/** A line of underscores, or none, and a block of headers. */
function isOutlookHistory(lines: readonly string[], index: number): boolean {
  const isRule = /^_{8,}$/.test(lines[index] ?? "");
  const from = isRule ? nextWords(lines, index + 1) : index;
  if (!firstHeader.test(lines[from] ?? "")) return false;
  const headers = lines.slice(from + 1, from + 6).filter((line) => otherHeader.test(line));
  return headers.length >= 2;
}

function withoutSignature(lines: readonly string[]): readonly string[] {
  const sign = lines.findIndex((line, index) => line === "--" && index > 0);
  const body = sign < 0 ? [...lines] : lines.slice(0, sign);
  while (body.at(-1) === "") body.pop();
  const first = Math.max(0, body.length - deviceSignatureLines);
  const device = body.findIndex((line, index) => index >= first && deviceSignature.test(line));
  return device < 0 ? body : body.slice(0, device);
}
