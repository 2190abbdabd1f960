/** A provider plugin made with the SDK, for its tests. Prints where it should not, fails, waits, takes a configuration. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { ProviderFailure, serveProvider } from "../index.ts";

console.log("before serving");
let greeting = "none";

await serveProvider({
  onConfigure: (config) => {
    if (config["fail"] === true) throw new Error("`fail` must not be true");
    if (typeof config["greeting"] === "string") greeting = config["greeting"];
  },
  models: async ({ credential }) => {
    if (credential === "bad") throw new Error("the service lists nothing for this credential");
    const cost = { input: 1, output: 2, cachedInput: 0.1, cacheWrite: 1.25 };
    return [
      { id: "big", contextWindow: 8_000, maxTokens: 100, cost, input: ["image"] },
      { id: "small", tools: false },
    ];
  },
  async *complete(request, { credential, signal }) {
    const last = request.messages.findLast(({ role }) => role === "user")?.content ?? "";
    switch (last) {
      case "request":
        yield JSON.stringify({ ...request, credential });
        return;
      case "greeting":
        yield greeting;
        return;
      case "everything":
        console.log("thinking");
        yield { kind: "reasoning", text: "Hm." };
        yield "Half";
        yield { kind: "tool-call", id: "t1", name: "a__b", arguments: { x: 1 } };
        yield { kind: "tool-call", name: "a__b", arguments: '{"x":2}' };
        yield { kind: "usage", inputTokens: 10, outputTokens: 5.2, reasoningTokens: 1 };
        return;
      case "cut":
        yield { kind: "finish", reason: "length" };
        yield "never read";
        return;
      case "limit":
        throw new ProviderFailure({
          reason: "rate-limited",
          message: "slow down",
          retryAfterMs: 1_500,
          status: 429,
        });
      case "bug":
        yield "Half";
        throw new TypeError("x is not a function");
      case "timeout":
        throw new DOMException("took too long", "TimeoutError");
      case "connection":
        await fetch(`http://127.0.0.1:${await findClosedPort()}/`);
        return;
      case "nonsense":
        yield 42 as unknown as string;
        return;
      case "wait":
        try {
          yield "Half";
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        } finally {
          console.error("gave up");
        }
        return;
      case "deaf":
        yield "Half";
        await new Promise(() => undefined);
        return;
      case "flood":
        for (let piece = 0; ; piece += 1) {
          if (piece % 1_000 === 0) console.error(`piece ${piece}`);
          yield "x".repeat(10_000);
        }
      default:
        yield last;
    }
  },
});

async function findClosedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
