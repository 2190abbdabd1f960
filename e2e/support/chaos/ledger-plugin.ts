/** A tool with a side effect that must never happen twice: writes one line per execution to a file. */
import { appendFileSync } from "node:fs";
import { serveTool } from "@opentalon/plugin-sdk";

const [file = ""] = process.argv.slice(2);

await serveTool({
  name: "ledger",
  description: "Keeps a ledger",
  actions: {
    add: {
      description: "Adds one entry to the ledger",
      parameters: { id: { type: "string", description: "What to add", required: true } },
      run: async ({ id }) => {
        appendFileSync(file, `${id}\n`);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
        return `added ${id}`;
      },
    },
  },
});
