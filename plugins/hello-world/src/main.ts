import { serveTool } from "@opentalon/plugin-sdk";
import { prepare } from "./prepare.ts";

await serveTool({
  name: "hello-world",
  description: "Greets the world and asks a model about the history of Hello-World programs",
  actions: {
    prepare: {
      description:
        "Turns a greeting into a question about Hello-World programs; answers anything else by itself.",
      parameters: { text: "The message as the person wrote it" },
      readOnly: true,
      run: ({ text }) =>
        prepare(text, {
          promptFragment: process.env["HELLO_WORLD_PROMPT_FRAGMENT"] ?? "",
          random: Math.random,
        }),
    },
  },
});
