/** What a question asks for, coarsely: what people pin models to and what reports are grouped by. */
export const taskTypes = [
  "general",
  "chat",
  "code",
  "transform",
  "analysis",
  "deep_conversation",
] as const;
export type TaskType = (typeof taskTypes)[number];

const deepAfterMessages = 10;
const longCharacters = 500;
const shortCharacters = 100;
/** Enough to see what is asked, and it keeps the time for a huge message small. */
const readCharacters = 400;

const codeMarks =
  /```|~~~|(?:^|\n)[ \t]*(?:def|func|fn|class|import|package|function|const|let|#include|public|private)\s/;

/** Stems of "translate, summarise, convert, rewrite, paraphrase, extract" in the languages most people write in. */
const transformStems =
  /\b(?:translat|summar|convert|rewrit|paraphras|rephras|reword|extract|zusammenfass|konvertier|umformulier|traduc|traduz|traduis|tradui|résum|resum|riassum|reformul|extrai|samenvat|vertaal|przetłum|podsumuj)|übersetz|перевед|перевест|обобщ|переформулир|翻译|翻譯|翻訳|总结|總結|要約|改写|번역|요약|ترجم|لخص|अनुवाद/i;

/** Sorts a question by its form. `depth` is the number of messages so far, this one included; never throws. */
export function classifyTask(text: string, depth: number): TaskType {
  if (text.trim() === "") return "general";
  if (depth > deepAfterMessages) return "deep_conversation";
  const head = text.length > readCharacters ? text.slice(0, readCharacters) : text;
  if (codeMarks.test(head)) return "code";
  if (transformStems.test(head)) return "transform";
  if (text.length > longCharacters) return "analysis";
  if (text.length < shortCharacters && !text.includes("\n")) return "chat";
  return "general";
}
