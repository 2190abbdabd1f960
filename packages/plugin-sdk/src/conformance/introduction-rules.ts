import { isInvalidArgument, isUnimplemented } from "../testing-kit/reply.ts";
import type { Reply } from "../testing-kit/reply.ts";
import type { Rule, Verdict } from "./rule.ts";
import { broken, kept, notApplicable } from "./rule.ts";
import type { ToolBench } from "./tool-bench.ts";

const noConfiguration = "there is no configuration on the first wire generation";

/** How a tool plugin is introduced. */
export const introductionRules: readonly Rule<ToolBench>[] = [
  {
    name: "init",
    level: "must",
    title: "It takes its configuration (Init) before everything else, within five seconds",
    remedy:
      "answer Init, also with `{}`; refuse what is wrong with INVALID_ARGUMENT and words; leave the method out when there is nothing to configure",
    check: async (bench) => {
      if (bench.facts.wire === "json") return notApplicable(noConfiguration);
      const { init } = await bench.introduction();
      return judgeInit(init, bench.hasConfig);
    },
  },
  {
    name: "refuses-wrong-configuration",
    level: "should",
    title: "It refuses a wrong configuration with INVALID_ARGUMENT",
    remedy: "answer Init with INVALID_ARGUMENT and say which key is wrong",
    check: async (bench) => {
      if (bench.facts.wire === "json") return notApplicable(noConfiguration);
      const { address, process } = await bench.open();
      const peer = bench.openPeer(address);
      // A list is the one thing that is wrong for every plugin that looks at its configuration.
      const reply = await peer.init("[]", { timeoutMs: bench.limits.introductionMs });
      peer.close();
      await process.stop(0);
      return judgeRefusal(reply);
    },
  },
  {
    name: "capabilities",
    level: "must",
    title: "It says what it can do (Capabilities) within five seconds of its start",
    remedy:
      "answer Capabilities from memory; look up what is slow later and tell it by RefreshCapabilities",
    check: async (bench) => {
      const { capabilities, init, tookMs } = await bench.introduction();
      if (capabilities === undefined) return notApplicable("it refuses its configuration");
      if (capabilities.kind !== "reply") return broken(`it ${capabilities.words}`);
      const isLate = tookMs > bench.limits.introductionMs && init.kind !== "timed-out";
      if (isLate) return broken(`Init and Capabilities took ${Math.round(tookMs)} ms together`);
      const { name, actions } = capabilities.value;
      return kept(`"${name}" with ${actions.length} actions`);
    },
  },
];

/** Of tools and providers alike. */
export function judgeInit(init: Reply<unknown>, hasConfig: boolean): Verdict {
  if (init.kind === "reply") return kept();
  if (isUnimplemented(init)) return kept("it takes no configuration");
  if (!isInvalidArgument(init)) return broken(`it ${init.words}`);
  if (hasConfig) return broken(`it refuses the configuration given: it ${init.words}`);
  return kept("it refuses an empty configuration");
}

/** Of tools and providers alike: what became of a configuration that is a list. */
export function judgeRefusal(reply: Reply<unknown>): Verdict {
  if (isInvalidArgument(reply)) return kept();
  if (isUnimplemented(reply)) return notApplicable("it takes no configuration");
  if (reply.kind === "reply") return notApplicable("it does not look at its configuration");
  return broken(`it ${reply.words}`);
}
