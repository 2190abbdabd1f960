/** A provider: answers for models of your own. This one has a parrot, which says what it was told. */
import { ProviderFailure, serveProvider } from "@opentalon/plugin-sdk";

let greeting = "You said";

await serveProvider({
  /** Takes what stands under `config` of the provider's entry, or refuses it in words. */
  onConfigure: ({ greeting: wanted = greeting }) => {
    if (typeof wanted !== "string") throw new Error("`greeting` must be a text");
    greeting = wanted;
  },
  models: [{ id: "parrot", contextWindow: 8_000 }],
  /** Yields the answer as it comes. Tries once: other credentials and models are OpenTalon's decision. */
  async *complete({ messages }) {
    const said = messages.findLast(({ role }) => role === "user")?.content ?? "";
    // Its reason decides what OpenTalon does next.
    if (said === "")
      throw new ProviderFailure({
        reason: "invalid-request",
        message: "nothing was said",
        status: 400,
      });
    const words = `${greeting}: ${said}`.split(/(?<= )/);
    yield* words;
    yield {
      kind: "usage",
      inputTokens: said.split(" ").length,
      outputTokens: words.length,
    };
  },
});
