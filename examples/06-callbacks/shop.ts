/** What things cost: a tool plugin that knows nothing of who asks it. */
import { serveTool } from "@opentalon/plugin-sdk";

const prices: Readonly<Record<string, number>> = { apple: 50, pear: 70, melon: 320 };

await serveTool({
  name: "shop",
  description: "Knows what the shop sells",
  actions: {
    price: {
      description: "Says what one piece of something costs.",
      parameters: { item: "What" },
      readOnly: true,
      run: ({ item }) => {
        const price = Object.hasOwn(prices, item) ? prices[item] : undefined;
        if (price === undefined)
          throw new Error(`the shop has ${Object.keys(prices).join(", ")}, and no ${item}`);
        // Text for a model, and the same for programs.
        return { content: `${(price / 100).toFixed(2)} apiece`, structured: { price } };
      },
    },
  },
});
