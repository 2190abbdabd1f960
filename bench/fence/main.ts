/**
 * `make bench`, part: what a plugin that attacks the machine costs the others. For each attack one core with an attacker
 * and a neighbour; turns without a tool and turns that call the neighbour are timed, first quietly, then under attack.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startCore, type CoreProcess } from "../../e2e/support/core-process.ts";
import { findFreePort } from "../../packages/opentalon/src/base/testing/find-free-port.ts";
import { fakePlugin } from "../../e2e/support/scratch.ts";
import { createWebhookPeer, type WebhookPeer } from "../../e2e/support/webhook-peer.ts";
import {
  findCgroupProblem,
  findWatchProblem,
} from "../../packages/opentalon/src/plugins/testing/fence-support.ts";
import { createModelServer } from "../../packages/opentalon/src/providers/testing/model-server.ts";
import { printTable } from "../support/print-table.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "4" },
    attack: { type: "string", multiple: true },
  },
});
const windowMs = Number(values.seconds) * 1_000;

interface Attack {
  readonly action: string;
  readonly limits: Readonly<Record<string, number>>;
}

const attacks: readonly Attack[] = [
  { action: "structured", limits: {} },
  { action: "attack-memory", limits: { memory_mb: 128 } },
  { action: "attack-fork-bomb", limits: { processes: 40 } },
  { action: "attack-descriptors", limits: { open_files: 256 } },
  { action: "attack-disk", limits: { disk_mb: 64 } },
  { action: "attack-processor", limits: { cpu_seconds: 600 } },
];

const folder = mkdtempSync(join(tmpdir(), "opentalon-bench-"));
const rows: string[][] = [];
let messages = 0;
try {
  for (const attack of attacks)
    if (values.attack?.includes(attack.action) !== false) rows.push(await measure(attack));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const problem = findCgroupProblem() ?? findWatchProblem();
process.stdout.write(
  `${cpus().length} cores, ${cpus()[0]?.model ?? ""}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}; ${problem ?? "plugins in control groups"}\n`,
);
printTable(
  [
    "attack",
    "what ended it",
    "times",
    "turn p50 / p99 quiet",
    "under attack",
    "call of the neighbour p50 / p99 quiet",
    "under attack",
    "p50 turn, call",
  ],
  rows,
);

async function measure({ action, limits }: Attack): Promise<string[]> {
  const port = await findFreePort();
  await using models = await createModelServer({ kind: "answer" }, { maxRecorded: 0 });
  await using peer = await createWebhookPeer({ channel: "load", door: () => `127.0.0.1:${port}` });
  const configPath = join(folder, `${action}.yaml`);
  const attacker = { ...fakePlugin({ name: "attacker", actions: [action] }), limits };
  const config = {
    models: {
      providers: {
        local: {
          base_url: models.url,
          api_key: "test-key-for-loopback",
          models: [{ id: "test-model", features: ["tools"] }],
        },
      },
    },
    routing: { primary: "local/test-model" },
    channels: { load: { enabled: true, plugin: peer.url, config: {} } },
    plugins: { attacker, neighbour: fakePlugin({ name: "neighbour" }) },
    server: { addr: `127.0.0.1:${port}` },
    state: { data_dir: join(folder, `state-${action}`), session: { context_messages: 4 } },
  };
  writeFileSync(configPath, JSON.stringify(config));
  await using core = startCore({ configPath, maxLog: 10_000 });
  await core.ready();
  const ask = createAsker(peer);
  await timeTurns(ask, windowMs / 3);
  const quiet = createTimes();
  const attacked = createTimes();
  // In turn, so that both meet the same machine.
  for (let round = 0; round < Number(values.rounds); round += 1) {
    await untilBack(core);
    addTimes(quiet, await timeTurns(ask, windowMs));
    if (action !== "structured") void ask(`attack-${round}`, toAttack(action));
    addTimes(attacked, await timeTurns(ask, windowMs));
  }
  core.signal("SIGKILL");
  await core.exited;
  const ends = core.log.filter(({ msg, plugin }) => msg === "Plugin lost" && plugin === "attacker");
  const why = /limits\.\w+/.exec(JSON.stringify(ends[0]?.["problem"] ?? ""))?.[0];
  const ratio = (kind: "turns" | "calls"): string =>
    percent(quantile(attacked[kind], 0.5) / quantile(quiet[kind], 0.5));
  return [
    action === "structured" ? "none" : action.replace("attack-", ""),
    why ?? (action === "structured" ? "" : "nothing: a lower share of the processors"),
    String(ends.length),
    describe(quiet.turns),
    describe(attacked.turns),
    describe(quiet.calls),
    describe(attacked.calls),
    `${ratio("turns")}, ${ratio("calls")}`,
  ];
}

type Ask = (conversation: string, content: string) => Promise<void>;

function toAttack(action: string): string {
  return `tool: attacker__${action} ${JSON.stringify({ text: values.seconds })}`;
}

/** Waits until the attacker is there, again. */
async function untilBack(core: CoreProcess): Promise<void> {
  const count = (text: string): number =>
    core.log.filter(({ msg, plugin }) => msg === text && plugin === "attacker").length;
  while (count("Plugin ready") <= count("Plugin lost")) await sleep(50);
}

interface Times {
  readonly turns: number[];
  readonly calls: number[];
}

function createTimes(): Times {
  return { turns: [], calls: [] };
}

function addTimes(all: Times, { turns, calls }: Times): void {
  all.turns.push(...turns);
  all.calls.push(...calls);
}

async function timeTurns(ask: Ask, forMs: number): Promise<Times> {
  const { turns, calls } = createTimes();
  const time = async (times: number[], content: string): Promise<void> => {
    const beganAt = performance.now();
    await ask(`timed-${turns.length % 20}`, content);
    times.push(performance.now() - beganAt);
  };
  const beganAt = performance.now();
  while (performance.now() - beganAt < forMs) {
    await time(turns, "question");
    await time(calls, 'tool: neighbour__structured {"text":""}');
    // As people do, rather than as fast as it goes: the processors are there for the attacker, too.
    await sleep(5);
  }
  return { turns, calls };
}

function createAsker(peer: WebhookPeer): Ask {
  const waiting = new Map<string, () => void>();
  peer.onArrival(({ metadata }) => waiting.get(metadata["in_reply_to"] ?? "")?.());
  return async (conversation, content) => {
    messages += 1;
    const id = `message-${messages}`;
    const answered = new Promise<void>((resolve) => waiting.set(id, resolve));
    const status = await peer.post({ id, conversation, content });
    if (status !== 202) throw new Error(`the core answered ${status}`);
    await answered;
    waiting.delete(id);
  };
}

function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function describe(times: readonly number[]): string {
  return `${quantile(times, 0.5).toFixed(1)} / ${quantile(times, 0.99).toFixed(1)} ms`;
}

function percent(ratio: number): string {
  const change = Math.round((ratio - 1) * 100);
  return `${change >= 0 ? "+" : ""}${change} %`;
}
