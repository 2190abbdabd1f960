import { serveChannel } from "@opentalon/plugin-sdk";
import { createMatrixChannel } from "./matrix-channel.ts";
import { systemClock } from "./patience.ts";

await serveChannel(
  createMatrixChannel({
    folder: process.cwd(),
    fetch,
    clock: systemClock,
    // What others wrote may stand in a line, and must not look like another one.
    log: (line) => console.error(line.replaceAll(/[\0-\x1f\x7f]/g, " ")),
  }),
);
