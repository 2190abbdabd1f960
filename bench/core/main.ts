/**
 * `make bench`: start to ready, idle memory, time added to a turn, and turns per second, each against a bare call of
 * the same model server in the same run.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { Agent, request as httpRequest } from "node:http";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startPostgres } from "../../packages/opentalon/src/store/testing/embedded-postgres.ts";
import { startCore } from "../../e2e/support/core-process.ts";
import { createModelServer } from "../../packages/opentalon/src/providers/testing/model-server.ts";
import { createWebhookPeer, type WebhookPeer } from "../../e2e/support/webhook-peer.ts";
import { findFreePort } from "../../packages/opentalon/src/base/testing/find-free-port.ts";
import { printTable } from "../support/print-table.ts";

const { values } = parseArgs({
  options: {
    turns: { type: "string", default: "2000" },
    seconds: { type: "string", default: "8" },
    starts: { type: "string", default: "10" },
    postgres: { type: "boolean", default: false },
  },
});
const turns = Number(values.turns);
const seconds = Number(values.seconds);
const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "opentalon-bench-"));
const rows: string[][] = [];
let messageCount = 0;

try {
  await measureDisk();
  await measureStart();
  await measureTurns("sqlite", { driver: "sqlite" });
  if (values.postgres) {
    const postgres = await startPostgres();
    try {
      await measureTurns("postgres", { driver: "postgres", dsn: await postgres.createDatabase() });
    } finally {
      await postgres.stop();
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(
  `${cpus().length} cores, ${cpus()[0]?.model ?? ""}, Node ${process.version}\n`,
);
printTable(["what", "value", "compared with"], rows);

/** What one flush costs here: each durable step of a turn waits for one, alone or with others. */
async function measureDisk(): Promise<void> {
  const page = Buffer.alloc(16_384, 1);
  const pages = 200;
  await using file = await open(join(folder, "flush"), "w");
  const flushMs: number[] = [];
  for (let index = 0; index < 4 * pages; index += 1) {
    await file.write(page, 0, page.length, (index % pages) * page.length);
    const startedAt = performance.now();
    await file.datasync();
    // The first round extends the file, which a log that is reused does not.
    if (index >= pages) flushMs.push(performance.now() - startedAt);
  }
  rows.push([
    "one flush of this disk (16 KB, fdatasync), median",
    `${quantile(flushMs, 0.5).toFixed(2)} ms`,
    `p95 ${quantile(flushMs, 0.95).toFixed(2)} ms`,
  ]);
}

/** Start with the example's shape: one plugin process, console, demo model. */
async function measureStart(): Promise<void> {
  const startMs: number[] = [];
  const barePlugin = {
    "hello-world": { enabled: true, plugin: join(root, "plugins/hello-world/hello-world-plugin") },
  };
  let idle = "";
  for (let run = 0; run < Number(values.starts); run += 1) {
    const configPath = writeConfig(`start-${run}`, {
      plugins: barePlugin,
      channels: { console: { enabled: true, plugin: "console", config: {} } },
    });
    const begunAt = performance.now();
    await using core = startCore({ configPath });
    await core.ready();
    startMs.push(performance.now() - begunAt);
    if (run === 0) {
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      idle = `${(readResidentKilobytes(core.pid) / 1_024).toFixed(0)} MB`;
    }
    core.signal("SIGTERM");
    await core.exited;
  }
  const bareMs: number[] = [];
  for (let run = 0; run < Number(values.starts); run += 1) {
    const begunAt = performance.now();
    await startBareNode();
    bareMs.push(performance.now() - begunAt);
  }
  rows.push(
    [
      "start to ready, with one plugin, median",
      `${quantile(startMs, 0.5).toFixed(0)} ms`,
      `an empty Node process: ${quantile(bareMs, 0.5).toFixed(0)} ms`,
    ],
    ["idle memory of the core (RSS, 3 s after ready)", idle, ""],
  );
}

async function startBareNode(): Promise<void> {
  const { spawn } = await import("node:child_process");
  const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
  await new Promise((resolve) => child.once("exit", resolve));
}

async function measureTurns(engine: string, db: Readonly<Record<string, string>>): Promise<void> {
  const port = await findFreePort();
  await using modelServer = await createModelServer({ kind: "answer" }, { maxRecorded: 0 });
  await using peer = await createWebhookPeer({ channel: "load", door: () => `127.0.0.1:${port}` });
  const configPath = writeConfig(`turns-${engine}`, {
    models: {
      providers: {
        local: {
          base_url: modelServer.url,
          api_key: "test-key-for-loopback",
          models: [{ id: "test-model", features: ["tools"] }],
        },
      },
    },
    routing: { primary: "local/test-model" },
    channels: { load: { enabled: true, plugin: peer.url, config: {} } },
    server: { addr: `127.0.0.1:${port}` },
    state: { data_dir: join(folder, `state-${engine}`), db, session: { context_messages: 10 } },
    log: { level: "info" },
  });
  await using core = startCore({ configPath, maxLog: 100, environment: { LOG_LEVEL: "info" } });
  await core.ready();
  const wait = createWaiter(peer);
  const bare = createBareCaller(modelServer.url);
  await runTurns(peer, wait, "warm-up", 300);
  for (let index = 0; index < 300; index += 1) await bare.call("warm-up");

  // Alternating, so that both meet the same machine.
  const turnMs: number[] = [];
  const bareMs: number[] = [];
  for (let index = 0; index < turns; index += 1) {
    const text = `question ${index}`;
    const bareAt = performance.now();
    await bare.call(text);
    bareMs.push(performance.now() - bareAt);
    const turnAt = performance.now();
    await runTurns(peer, wait, `latency-${index % 50}`, 1, `${index}`);
    turnMs.push(performance.now() - turnAt);
  }
  for (const [name, q] of [
    ["p50", 0.5],
    ["p95", 0.95],
    ["p99", 0.99],
  ] as const) {
    const added = quantile(turnMs, q) - quantile(bareMs, q);
    rows.push([
      `${engine}: added per turn ${name}, one session at a time`,
      `${added.toFixed(2)} ms`,
      `bare call ${quantile(bareMs, q).toFixed(2)} ms, turn ${quantile(turnMs, q).toFixed(2)} ms`,
    ]);
  }
  for (const sessions of [8, 32]) {
    const barePerSecond = await countPerSecond(sessions, (session, index) =>
      bare.call(`q ${session} ${index}`),
    );
    const perSecond = await countPerSecond(sessions, (session, index) =>
      runTurns(peer, wait, `load-${sessions}-${session}`, 1, `${index}`),
    );
    rows.push([
      `${engine}: turns per second, ${sessions} sessions at once`,
      perSecond.toFixed(0),
      `bare calls ${barePerSecond.toFixed(0)}/s`,
    ]);
  }
  rows.push([
    `${engine}: memory of the core after the load (RSS)`,
    `${(readResidentKilobytes(core.pid) / 1_024).toFixed(0)} MB`,
    "",
  ]);
  core.signal("SIGTERM");
  await core.exited;
  bare.close();
}

async function countPerSecond(
  sessions: number,
  once: (session: number, index: number) => Promise<unknown>,
): Promise<number> {
  const begunAt = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: sessions }, async (_, session) => {
      for (let index = 0; performance.now() - begunAt < seconds * 1_000; index += 1) {
        await once(session, index);
        done += 1;
      }
    }),
  );
  return done / ((performance.now() - begunAt) / 1_000);
}

type Waiter = (id: string) => Promise<void>;

function createWaiter(peer: WebhookPeer): Waiter {
  const waiting = new Map<string, () => void>();
  peer.onArrival(({ metadata, content }) => {
    const id = metadata["in_reply_to"] ?? "";
    if (!content.startsWith("answer: ")) throw new Error(`unexpected reply: ${content}`);
    waiting.get(id)?.();
    waiting.delete(id);
  });
  return (id) => new Promise((resolve) => waiting.set(id, resolve));
}

async function runTurns(
  peer: WebhookPeer,
  wait: Waiter,
  conversation: string,
  count: number,
  label = "",
): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    messageCount += 1;
    const id = `message-${messageCount}`;
    const answered = wait(id);
    const status = await peer.post({ id, conversation, content: `question ${label}${index}` });
    if (status !== 202) throw new Error(`the core answered ${status}`);
    await answered;
  }
}

/** The same model server asked directly, as the core asks it: streamed, over a kept connection. */
function createBareCaller(url: string): {
  call: (text: string) => Promise<void>;
  close: () => void;
} {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const call = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const body = JSON.stringify({
        model: "test-model",
        stream: true,
        messages: [{ role: "user", content: text }],
      });
      const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      };
      const sending = httpRequest(
        `${url}/chat/completions`,
        { method: "POST", agent, headers },
        (response) => {
          response.resume();
          response.once("end", resolve);
        },
      );
      sending.once("error", reject);
      sending.end(body);
    });
  return { call, close: () => agent.destroy() };
}

function writeConfig(name: string, config: Readonly<Record<string, unknown>>): string {
  const path = join(folder, `${name}.yaml`);
  writeFileSync(
    path,
    JSON.stringify({ state: { data_dir: join(folder, `state-${name}`) }, ...config }, null, 2),
  );
  return path;
}

function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function readResidentKilobytes(pid: number): number {
  return Number(
    /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN,
  );
}
