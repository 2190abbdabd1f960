/** A plugin whose parameters are schemas of a library, for the tests of the SDK. */
import * as z from "zod";
import { serveTool } from "../index.ts";

const place = z.object({ street: z.string(), number: z.int().optional() });

await serveTool({
  name: "calendar",
  description: "Keeps appointments",
  actions: {
    add: {
      description: "Adds an appointment",
      parameters: z.object({
        title: z.string().min(1).describe("What it is"),
        at: z.iso.datetime().transform((text) => new Date(text)),
        minutes: z.int().min(5).max(600).default(30),
        repeat: z.enum(["never", "weekly"]).default("never"),
        reminder: z.union([z.int(), z.literal("none")]),
        guests: z.array(z.string()).optional(),
        place: place.nullable(),
        alternative: place.optional(),
      }),
      contextArguments: ["entity_id"],
      run: ({ at, guests = [], ...rest }, { values }) => {
        // Of the types the schema gives out: this would not compile otherwise.
        const atMs: number = at.getTime();
        const content = JSON.stringify({ ...rest, atMs, guests: guests.join("+") });
        return { content, structured: values };
      },
    },
    count: { description: "Counts", parameters: {}, run: () => "0" },
  },
});
