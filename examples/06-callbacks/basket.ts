/** A basket for each person: a tool plugin that asks another one for prices and keeps state, both through OpenTalon. */
import { serveTool, type CallContext } from "@opentalon/plugin-sdk";

interface Line {
  readonly item: string;
  readonly count: number;
  /** In cents, as the shop said when it was put in. */
  readonly price: number;
}

await serveTool({
  name: "basket",
  description: "Keeps what the person wants to buy",
  // `context.call` and `context.state` work only with this.
  callbacks: true,
  actions: {
    add: {
      description: "Puts something into the person's basket.",
      parameters: {
        item: "What, as the shop calls it",
        count: {
          type: "integer",
          description: "How many, 1 to 99; 1 when absent",
          required: false,
        },
      },
      contextArguments: ["entity_id"],
      run: async ({ item, count = 1 }, context) => {
        if (count < 1 || count > 99) throw new Error("count must be from 1 to 99");
        // Runs as the person, with their permissions. What the shop refuses is thrown, and told to the model as it is.
        const { structured } = await context.call("shop", "price", { item });
        const { price } = structured as { price: number };
        // Two calls at once count right: the function runs again on what the other one made of it.
        const lines = await context.state.update<readonly Line[]>(keyOf(context), (before = []) => [
          ...before.filter((line) => line.item !== item),
          { item, count: count + (before.find((line) => line.item === item)?.count ?? 0), price },
        ]);
        return `The basket holds ${describe(lines)}.`;
      },
    },
    show: {
      description: "Says what is in the person's basket and what it costs.",
      parameters: {},
      readOnly: true,
      contextArguments: ["entity_id"],
      run: async (_args, context) => {
        const lines = (await context.state.get<readonly Line[]>(keyOf(context))) ?? [];
        return lines.length === 0 ? "The basket is empty." : `The basket holds ${describe(lines)}.`;
      },
    },
  },
});

/** All people share the plugin's state, so a key says whose it is; who asks is OpenTalon's word, not the model's. */
function keyOf({ values }: CallContext): string {
  const person = values["entity_id"];
  if (person === undefined) throw new Error("it is not known whose basket is meant");
  return `basket/${person}`;
}

function describe(lines: readonly Line[]): string {
  const total = lines.reduce((sum, { count, price }) => sum + count * price, 0);
  const items = lines.map(({ item, count }) => `${count} ${item}`).join(", ");
  return `${items}: ${(total / 100).toFixed(2)} in all`;
}
