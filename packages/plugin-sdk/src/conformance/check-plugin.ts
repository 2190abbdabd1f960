import type { Bench } from "./bench.ts";
import { callRules } from "./call-rules.ts";
import { capabilityRules } from "./capability-rules.ts";
import { channelRules, createChannelBench } from "./channel-rules.ts";
import type { CheckOptions, CheckReport, RuleResult } from "./check-options.ts";
import { defaultLimits } from "./check-options.ts";
import { connectionRules } from "./connection-rules.ts";
import { examine } from "./examine.ts";
import { introductionRules } from "./introduction-rules.ts";
import { jsonRules } from "./json-rules.ts";
import { createProviderBench, providerRules } from "./provider-rules.ts";
import type { Rule, Verdict } from "./rule.ts";
import { broken, kept, NotReached, notApplicable } from "./rule.ts";
import { startRules } from "./start-rules.ts";
import { stopRules } from "./stop-rules.ts";
import { createToolBench } from "./tool-bench.ts";

/** What has to hold before anything else can be looked at. */
const firstRules = {
  listens: {
    name: "listens",
    level: "must",
    title: "It starts and says where it listens within 60 seconds",
    remedy:
      'print "1|unix|<path>" as the first line of standard output once the socket is there and flush it; a channel makes channel.sock in OPENTALON_CHANNEL_SOCK_DIR',
  },
  speaks: {
    name: "speaks",
    level: "must",
    title:
      "It speaks gRPC without TLS on its socket, or the length-prefixed JSON of the first generation",
    remedy: "serve the service of its kind: see the plugin protocol",
  },
} as const;

/**
 * Looks at a tool plugin, a channel or a provider plugin, in whatever language, rule by rule: starts it a few times, asks it,
 * annoys it and ends it. Calls only actions that say they change nothing and need no arguments, and those in `calls`; a
 * provider is asked for a model that does not exist, a channel to write into a conversation that does not.
 *
 * A broken rule is no error: the report says it. Nothing of the plugin is left behind.
 *
 * @example
 * const report = await checkPlugin([process.execPath, "examples/02-tool-plugin/main.ts"]);
 * assert.deepEqual(report.results.filter(({ outcome }) => outcome === "broken"), []);
 */
export async function checkPlugin(
  command: string | readonly string[],
  options: CheckOptions = {},
): Promise<CheckReport> {
  const { env = {}, kind, config, calls = [], onResult } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const results: RuleResult[] = [];
  const add = (rule: Omit<Rule<never>, "check">, { outcome, why }: Verdict): void => {
    const { name, level, title } = rule;
    const remedy = outcome === "broken" ? rule.remedy : "";
    const result = { rule: name, level, title, outcome, why, remedy };
    results.push(result);
    onResult?.(result);
  };
  const run = async <Subject extends Pick<Bench, "settle">>(
    rules: readonly Rule<NoInfer<Subject>>[],
    subject: Subject,
  ): Promise<void> => {
    for (const rule of rules) {
      const verdict = await check(rule, subject);
      add(rule, verdict);
      if (verdict.outcome === "broken") await subject.settle();
    }
  };

  const examination = await examine({ command, env, kind, limits });
  if (examination.kind === "unusable") {
    if (examination.rule === "speaks") add(firstRules.listens, kept());
    add(firstRules[examination.rule], broken(examination.why));
    return { kind: kind ?? "tool", wire: "unknown", results, isUsable: false };
  }
  const { facts } = examination;
  add(firstRules.listens, kept());
  add(firstRules.speaks, kept(facts.wire === "grpc" ? "gRPC" : "length-prefixed JSON"));
  const configJson = JSON.stringify(config ?? {});
  const parts = { command, env, limits, facts, calls, configJson, hasConfig: config !== undefined };
  switch (facts.kind) {
    case "tool": {
      await using bench = createToolBench(parts);
      await run(startRules, bench);
      await run([...introductionRules, ...capabilityRules, ...callRules], bench);
      if (facts.wire === "json") await run(jsonRules, bench);
      await run([...connectionRules, ...stopRules], bench);
      break;
    }
    case "provider": {
      await using bench = createProviderBench(parts);
      await run(startRules, bench);
      await run(providerRules, bench);
      await run([...connectionRules, ...stopRules], bench);
      break;
    }
    case "channel": {
      await using bench = createChannelBench(parts);
      await run(startRules, bench);
      // Its own rules end with its end.
      await run(channelRules.slice(0, -1), bench);
      await run(connectionRules, bench);
      await run([...channelRules.slice(-1), ...stopRules], bench);
    }
  }
  const isUsable = !results.some(({ level, outcome }) => level === "must" && outcome === "broken");
  return { kind: facts.kind, wire: facts.wire, results, isUsable };
}

async function check<Subject>(rule: Rule<Subject>, subject: Subject): Promise<Verdict> {
  try {
    return await rule.check(subject);
  } catch (error) {
    if (error instanceof NotReached) return notApplicable(error.message);
    throw error;
  }
}
