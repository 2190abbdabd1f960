/** Two models of our own: one that calculates and nothing else, and one that has time for everybody. */
import {
  ProviderFailure,
  serveProvider,
  type CompletionPart,
  type CompletionRequest,
} from "@opentalon/plugin-sdk";

let greeting = "You said";

await serveProvider({
  onConfigure: ({ greeting: wanted = greeting }) => {
    if (typeof wanted !== "string") throw new Error("`greeting` must be a text");
    greeting = wanted;
  },
  models: [
    { id: "sums", contextWindow: 8_000, tools: false },
    { id: "small-talk", contextWindow: 8_000, cost: { input: 0.1, output: 0.2 }, tools: false },
  ],
  complete: (request) => (request.model === "sums" ? calculate(request) : chat(request)),
});

async function* calculate(request: CompletionRequest): AsyncGenerator<CompletionPart> {
  const sum = lastWords(request);
  const found = /^\s*(-?\d+(?:\.\d+)?)\s*([-+*/])\s*(-?\d+(?:\.\d+)?)\s*$/.exec(sum);
  // The next model of the chain is asked. With status 400 none would be: the question itself would be at fault.
  if (found === null)
    throw new ProviderFailure({ reason: "invalid-request", message: "that is no sum" });
  const [, left = "", operator = "", right = ""] = found;
  const [a, b] = [Number(left), Number(right)];
  const results: Record<string, number> = { "+": a + b, "-": a - b, "*": a * b, "/": a / b };
  yield `${left} ${operator} ${right} = ${results[operator]}`;
}

async function* chat(request: CompletionRequest): AsyncGenerator<CompletionPart> {
  const words = `${greeting} “${lastWords(request)}”.`.split(/(?<= )/);
  // Each word is on its way to the person before the next one is there.
  yield* words;
  yield { kind: "usage", inputTokens: request.messages.length, outputTokens: words.length };
}

function lastWords({ messages }: CompletionRequest): string {
  return messages.findLast(({ role }) => role === "user")?.content ?? "";
}
