import { questions } from "./questions.ts";

export interface PrepareOptions {
  /** What is added for the model; a random question when empty. */
  readonly promptFragment: string;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

/**
 * What becomes of a message: one that says hello is completed to "… world" and gets a question for the model; any other
 * is answered right away, without a model.
 */
export function prepare(text: string, { promptFragment, random }: PrepareOptions): string {
  if (!/hello/i.test(text)) return JSON.stringify({ send_to_llm: false, message: invitation });
  const greeting = text.trim();
  const complete = / world$/i.test(greeting) ? greeting : `${greeting} world`;
  const question =
    promptFragment === ""
      ? (questions[Math.floor(random() * questions.length)] ?? "")
      : promptFragment;
  return `${complete}\n\n${question}`;
}

const invitation =
  "This assistant is set up as a first example and only knows one topic: the Hello World program. " +
  "Say hello and it will take it from there.";
