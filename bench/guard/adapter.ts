import { createInterface } from "node:readline";
import { neutralise } from "../../packages/opentalon/src/tools/guard/neutralise.ts";

/** Feeds JSON lines `{id,text}` through the product's own neutraliser, for a checker that judges what comes out. */
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "") continue;
  const { id, text } = JSON.parse(line) as { id: string; text: string };
  process.stdout.write(`${JSON.stringify({ id, text: neutralise(text) })}\n`);
}
