/**
 * A hook plugin for tests, made with the SDK. What it does depends on what it reads:
 *
 *     prepare      "crash" ends the process, "hang" never answers, "invoke <text>" has fake__echo run, the rest is marked
 *     guard        refuses what holds "poison", and takes "secret" out of everything
 *     format       makes a structured action of "ticket: <title>"
 *     check        allows all plugins but those its configuration denies; as `check` says, "crash" or "hang" instead
 *     transcribe   hears what stands in the file
 */
import { exit } from "node:process";
import { serveHook } from "@opentalon/plugin-sdk";

let denied: readonly unknown[] = [];
let checking: unknown;

await serveHook({
  name: "rules",
  description: "Rules of a test",
  onConfigure: (config) => {
    if (Array.isArray(config["denied"])) denied = config["denied"];
    checking = config["check"];
  },
  prepare: ({ text }) => {
    if (text === "crash") exit(7);
    if (text === "hang") return new Promise<never>(() => {});
    if (text.startsWith("invoke ")) {
      const args = { text: text.slice("invoke ".length) };
      return { invoke: [{ plugin: "fake", action: "echo", args }] };
    }
    return `prepared: ${text}`;
  },
  guard: (text) =>
    text.includes("poison") ? { refuse: "stopped by a guard" } : text.replaceAll("secret", "***"),
  format: ({ text }) => {
    const [, title] = /^ticket: (.*)$/.exec(text) ?? [];
    return title === undefined ? text : JSON.stringify({ action: "create_ticket", title });
  },
  check: ({ plugin }) => {
    if (checking === "crash") exit(7);
    if (checking === "hang") return new Promise<never>(() => {});
    return !denied.includes(plugin);
  },
  transcribe: ({ data }) => Buffer.from(data).toString(),
});
