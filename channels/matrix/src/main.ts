import { serveChannel } from "@opentalon/plugin-sdk";
import { createMatrixChannel } from "./matrix-channel.ts";
import { systemClock } from "./patience.ts";

await serveChannel(
  createMatrixChannel({
    folder: process.cwd(),
    fetch,
    clock: systemClock,
    log: (line) => console.error(line),
  }),
);
