import type { Clock } from "../base/clock.ts";
import { ProviderError } from "../base/errors.ts";
import type { Model, ModelReply, ModelRequest } from "../domain/model.ts";
import type { TranscriptFile } from "../domain/session.ts";
import type { ModelAdapter } from "./model-adapter.ts";

export interface DemoAdapterOptions {
  readonly clock: Clock;
  /** Pause between words, so that streaming can be seen; 0 for none. */
  readonly wordDelayMs?: number;
  /** How this installation is given a real model, in words for the person. */
  readonly howToConnect?: string;
}

/** The model that needs no key and no network: it shows that everything works and says how to connect a real one. */
export const demoModel: Model = {
  name: "demo/demo",
  provider: "demo",
  id: "demo",
  nativeTools: true,
  input: ["text"],
  contextWindow: 0,
  maxTokens: 0,
  cost: { input: 0, output: 0 },
};

/** Names of files in one answer. */
const maxFiles = 5;

const usualHowToConnect =
  "set a key such as OPENAI_API_KEY in the environment, or run Ollama on this machine, and start OpenTalon again";

export function createDemoAdapter(options: DemoAdapterOptions): ModelAdapter {
  const { clock, wordDelayMs = 15, howToConnect = usualHowToConnect } = options;
  return {
    stream: async ({ model, request, signal, onText }): Promise<ModelReply> => {
      const text = toDemoAnswer(request, howToConnect);
      const words = text.match(/\S+\s*/g) ?? [];
      for (const word of words) {
        if (wordDelayMs > 0) await clock.sleep(wordDelayMs, signal);
        if (signal.aborted) {
          throw new ProviderError(`${model.name}: the call was cancelled`, {
            reason: "cancelled",
            model: model.name,
          });
        }
        onText(word);
      }
      const usage = { inputTokens: 0, outputTokens: words.length };
      return { text, toolCalls: [], finishReason: "stop", usage, model: model.name };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function toDemoAnswer({ messages, tools }: ModelRequest, howToConnect: string): string {
  const said = messages.filter((message) => message.role === "user");
  const last = said.at(-1);
  const question = shorten(last?.content ?? "");
  const files = last?.files ?? [];
  const earlier = shorten(said.at(-2)?.content ?? "");
  const parts = [toOpening(question)];
  if (files.length > 0) parts.push(toFileList(files));
  if (earlier !== "") parts.push(`Before that you said “${earlier}”.`);
  parts.push(
    "I am the built-in demo model: I run without a network and only echo, I do not think.",
  );
  if (tools.length > 0) parts.push("A real model could use tools here.");
  parts.push(`For real answers, ${howToConnect}.`);
  return `[demo] ${parts.join(" ")}`;
}

function toOpening(question: string): string {
  if (question === "") return "I got your message, but it holds no words.";
  if (/^(hi|hello|hey|good (morning|evening))\b/i.test(question))
    return `Hello! You said “${question}”.`;
  if (question.endsWith("?")) return `Good question: “${question}”`;
  return `You said “${question}”.`;
}

/** So that somebody who tries out a channel sees that its files arrive. */
function toFileList(files: readonly TranscriptFile[]): string {
  const shown = files
    .slice(0, maxFiles)
    .map(({ name, mimeType }) => `${shorten(name)} (${shorten(mimeType)})`);
  if (files.length > maxFiles) shown.push(`${files.length - maxFiles} more`);
  return `With it came ${shown.join(", ")}, which I cannot look into.`;
}

function shorten(text: string): string {
  const line = text.slice(0, 1_000).replaceAll(/\s+/g, " ").trim();
  return line.length <= 160 ? line.toWellFormed() : `${line.slice(0, 160).toWellFormed()}…`;
}
