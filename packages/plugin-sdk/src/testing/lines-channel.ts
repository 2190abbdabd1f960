/** A channel made with the SDK, for its tests: whoever types at its standard input, with a few odd habits. */
import { createInterface } from "node:readline";
import { serveChannel, UnknownDeliveryError } from "../index.ts";

console.log("before serving");
let greeting = "";

await serveChannel({
  id: "lines",
  name: "Lines",
  capabilities: { threads: true, files: true, maxMessageLength: 200, responseFormat: "markdown" },
  tools: [
    {
      action: "react",
      description: "Adds a reaction",
      method: "POST",
      url: "https://example.invalid/{{args.message}}",
      headers: { Authorization: "Bearer {{env.TOKEN}}" },
      parameters: { message: "Which message", emoji: { description: "Which", required: false } },
      requiredEnvironment: ["TOKEN"],
    },
  ],
  onConfigure: ({ fail, greeting: wanted = "none" }, instanceId) => {
    if (fail === true) throw new Error("`fail` must not be true");
    greeting = `${wanted as string} ${instanceId}`;
  },
  start: async ({ receive, stopped, instanceId }) => {
    if (greeting.startsWith("refuse")) throw new Error("the platform refused the token");
    const lines = createInterface({ input: process.stdin });
    void stopped.then(() => lines.close());
    const message = { conversationId: "terminal", senderId: "me" };
    for await (const content of lines) {
      if (content === "flood") {
        let sent = 0;
        for (; sent < 100_000; sent += 1) {
          await receive({ ...message, content: "x".repeat(1_000) }).catch(() => (sent = 200_000));
          if (sent % 1_000 === 0) console.error(`handed over ${sent}`);
        }
      } else if (content === "whole") {
        await receive({
          ...message,
          content: "half a pair: \ud800",
          messageId: "m1",
          threadId: "t1",
          senderName: "Me",
          files: [{ name: "a.txt", mimeType: "text/plain", data: Buffer.from("abc") }],
          metadata: { colour: "red" },
          sentAt: new Date(86_400_000),
        });
      } else {
        await receive({ ...message, content: `${content} ${greeting} ${instanceId}` });
        console.error(`stored ${content}`);
      }
    }
    console.error("closed the platform");
  },
  send: async ({ content, files, threadId, deliveryId }, { signal }) => {
    if (content === "fail") throw new Error("the platform is full");
    if (content === "unclear") throw new UnknownDeliveryError("the platform went silent");
    if (content === "wait")
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    if (content === "slow") await new Promise((resolve) => setTimeout(resolve, 300));
    console.log(`said ${content} ${threadId} ${files.map(({ name }) => name).join()}`);
    return deliveryId === "" ? undefined : { messageIds: [`posted-${deliveryId}`] };
  },
  typing: ({ conversationId }) => console.log(`typing in ${conversationId}`),
});
