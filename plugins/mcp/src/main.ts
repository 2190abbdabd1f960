import { serveTool } from "@opentalon/plugin-sdk";
import { createBridge } from "./bridge.ts";

// Each server that is a program listens for the end of this one.
process.setMaxListeners(64);

const bridge = createBridge({
  environment: process.env,
  folder: process.cwd(),
  version: "0.1.0",
  log: (line) => console.error(line),
});

await serveTool(bridge.describe);
