import { dirname } from "node:path";
import { maxSocketPathBytes } from "@opentalon/protocol";
import type { Bench } from "./bench.ts";
import type { Rule } from "./rule.ts";
import { broken, kept, notApplicable } from "./rule.ts";

/** What is expected of the start of every plugin that listens; the handshake itself was looked at before. */
export const startRules: readonly Rule<Bench>[] = [
  {
    name: "small-environment",
    level: "must",
    title: "It starts with nothing but PATH, HOME, LANG, LC_*, TZ and TMPDIR set",
    remedy:
      "take settings and secrets from `config` (Init), or list the variables under `env` of the plugin's entry and give them to this test",
    check: async ({ facts }) =>
      facts.environmentProblem === ""
        ? kept()
        : broken(`only with the whole environment; without it ${facts.environmentProblem}`),
  },
  {
    name: "first-line",
    level: "must",
    title: "The first line on standard output is the handshake",
    remedy: "print nothing before it; what is for the log goes to standard error",
    check: async ({ facts }) => {
      const { line, lineNumber } = facts.first;
      if (lineNumber === 0)
        return notApplicable("a channel that a host started says nothing there");
      return lineNumber === 1 ? kept(line) : broken(`it was line ${lineNumber}`);
    },
  },
  {
    name: "quick-start",
    level: "should",
    title: "It listens within ten seconds",
    remedy: "load and connect to what is slow after the handshake",
    check: async ({ facts, limits }) => {
      const seconds = `${(facts.first.readyMs / 1_000).toFixed(1)} s`;
      return facts.first.readyMs <= limits.quickStartMs
        ? kept(seconds)
        : broken(`it took ${seconds}`);
    },
  },
  {
    name: "socket-in-tmpdir",
    level: "should",
    title: "Its socket lies in TMPDIR",
    remedy:
      "make it in a new folder in the folder that TMPDIR names: nobody else can enter it, and it is removed with the plugin",
    check: async ({ facts }) => {
      const { address, temporaryFolder } = facts.first;
      if (facts.kind === "channel")
        return notApplicable("OpenTalon says where a channel's socket is");
      if (address.network === "tcp") return notApplicable(`it listens on ${address.address}`);
      const bytes = Buffer.byteLength(address.address);
      return dirname(address.address).startsWith(temporaryFolder)
        ? kept(`its path has ${bytes} of ${maxSocketPathBytes} bytes`)
        : broken(`it is ${address.address}`);
    },
  },
];
