/** A tool: two actions a model can call. The names and texts below are all a model knows of them. */
import { serveTool } from "@opentalon/plugin-sdk";

let greeting = "Hello";

await serveTool({
  name: "hello-typescript",
  description: "Greets people and splits bills",
  /** Takes what stands under `config` of the plugin's entry, or refuses it in words. */
  onConfigure: ({ greeting: wanted = greeting }) => {
    if (typeof wanted !== "string") throw new Error("`greeting` must be a text");
    greeting = wanted;
  },
  actions: {
    greet: {
      description: "Greets somebody. Use it when the person wants to be greeted.",
      parameters: { name: "Who is greeted" },
      readOnly: true,
      run: ({ name }) => `${greeting}, ${name}!`,
    },
    split_bill: {
      description: "Says what each person pays when a bill is split evenly.",
      parameters: {
        total: { type: "number", description: "The bill" },
        people: { type: "integer", description: "How many pay, 1 to 100" },
      },
      readOnly: true,
      // Several calls may be under way at once. What is thrown is an answer, too, in words a model can act on.
      run: ({ total, people }) => {
        if (people < 1 || people > 100)
          throw new Error(`split_bill failed: \`people\` must be from 1 to 100, not ${people}`);
        return `Each pays ${(total / people).toFixed(2)}.`;
      },
    },
  },
});
