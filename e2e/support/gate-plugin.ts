/** Decides for tests which calls a person must agree to: all but those of the action `structured`. */
import { serveTool } from "@opentalon/plugin-sdk";

await serveTool({
  name: "gate",
  description: "Says what has to be confirmed",
  actions: {
    decide: {
      description: "Decides",
      userOnly: true,
      readOnly: true,
      parameters: { steps: { type: "array", description: "What is about to be done" } },
      run: ({ steps }) => {
        const [step] = steps as readonly { readonly action: string }[];
        const mustAsk = step?.action !== "structured";
        return { content: "for people", structured: { requires_confirmation: mustAsk } };
      },
    },
  },
});
