/** A hook plugin made with the SDK, for its tests. */
import { serveHook } from "../index.ts";

let banned = "forbidden";

await serveHook({
  name: "rules",
  description: "Rules of a test",
  onConfigure: ({ word }) => {
    if (typeof word === "string") banned = word;
  },
  prepare: ({ text, searchText }, { actor, sessionId, conversationId }) => {
    if (text === "who") return `${actor} ${sessionId} ${conversationId}`;
    if (text === "search") return searchText;
    if (text === "run") return { invoke: [{ plugin: "dice", action: "roll", args: { n: "1" } }] };
    if (text === "nothing") return undefined as unknown as string;
    if (text === "throw") throw new Error("the rules are lost");
    return text.includes(banned) ? { refuse: `no ${banned} words` } : text;
  },
  guard: (text) => text.replaceAll(/\d{4}/g, "####"),
  format: ({ text, responseFormat }) => `<${responseFormat}>${text}`,
  check: async ({ actor, plugin }) => actor === "c:ann" && plugin !== "bank",
  transcribe: ({ data, mimeType }) =>
    `${mimeType}: ${data.length} ${Buffer.from(data.subarray(0, 9)).toString()}`,
});
