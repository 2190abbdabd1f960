/**
 * `make bench`: how soon a message is acknowledged while the model hangs and turns pile up, by webhook and by WebSocket; and
 * what thousands of clients that never finish their request do to the others.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { spawnSync } from "node:child_process";
import { connect, type Socket } from "node:net";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { startCore } from "../../e2e/support/core-process.ts";
import { createScratch } from "../../e2e/support/scratch.ts";
import { createWebhookPeer, type WebhookPeer } from "../../e2e/support/webhook-peer.ts";
import { dialAsPeer } from "../../packages/opentalon/src/channels/testing/socket-peer.ts";
import { createModelServer } from "../../packages/opentalon/src/providers/testing/model-server.ts";
import { printTable } from "../support/print-table.ts";

const { values } = parseArgs({
  options: {
    waiting: { type: "string", default: "500" },
    messages: { type: "string", default: "1000" },
    parallel: { type: "string", default: "8" },
    loris: { type: "string", default: "2000" },
  },
});
const waiting = Number(values.waiting);
const messages = Number(values.messages);
const parallel = Number(values.parallel);
const lorisCount = Number(values.loris);

/** Acknowledges one message; resolves when it is. */
type Send = (id: string) => Promise<void>;

async function measure(send: Send, prefix: string, atOnce: number): Promise<readonly number[]> {
  const times: number[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = (next += 1); index <= messages; index = next += 1) {
      const startedMs = performance.now();
      await send(`${prefix}-${index}`);
      times.push(performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return times.sort((one, other) => one - other);
}

function toCells(times: readonly number[]): readonly string[] {
  const at = (share: number): string =>
    `${(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN).toFixed(1)} ms`;
  return [at(0.5), at(0.99), at(1)];
}

const roundPauseMs = 10;
const token = "a-token-for-the-benchmark";

function sendByWebhook(peer: WebhookPeer): Send {
  return async (id) => {
    const status = await peer.post({ id, conversation: id, content: "hello" });
    if (status !== 202) throw new Error(`the webhook answered ${status}`);
  };
}

async function sendBySocket(door: string): Promise<Send & { readonly close: () => void }> {
  const peer = await dialAsPeer(`http://${door}/api/channels/ws`);
  const waiters = new Map<unknown, () => void>();
  peer.onFrame(({ type, id }) => {
    if (type === "ack") waiters.get(id)?.();
  });
  peer.send({ type: "identify", id: "bridge", token });
  const send: Send = (id) =>
    new Promise((resolve) => {
      waiters.set(id, resolve);
      peer.send({ id, conversation_id: id, sender_id: "ann", content: "hello" });
    });
  return Object.assign(send, { close: peer.close });
}

interface Loris {
  readonly socket: Socket;
  cutAfterMs: number;
}

/** Clients that send one more byte of their headers from time to time, and never the last. */
function openLoris(door: string): { readonly all: readonly Loris[]; readonly stop: () => void } {
  const [host = "", port = ""] = door.split(":");
  const all = Array.from({ length: lorisCount }, (): Loris => {
    const openedMs = performance.now();
    const loris = { socket: connect(Number(port), host), cutAfterMs: Number.NaN };
    loris.socket.on("error", () => {});
    loris.socket.on("close", () => {
      loris.cutAfterMs = performance.now() - openedMs;
    });
    loris.socket.resume();
    loris.socket.write("POST /api/channels/web/inbound HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ");
    return loris;
  });
  const drip = setInterval(() => {
    for (const { socket } of all) if (!socket.destroyed) socket.write("x");
  }, 1_000);
  return {
    all,
    stop: () => {
      clearInterval(drip);
      for (const { socket } of all) socket.destroy();
    },
  };
}

/** One request over a connection of its own. */
async function askAnew(door: string): Promise<number> {
  const startedMs = performance.now();
  const response = await fetch(`http://${door}/healthz`, { headers: { connection: "close" } });
  await response.arrayBuffer();
  return performance.now() - startedMs;
}

const limit = Number(spawnSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout);
const needed = lorisCount + 1_000;
if (limit < needed) {
  throw new Error(
    `${needed} open files are needed, ulimit -Hn allows ${limit}; raise it or pass --loris`,
  );
}

const models = await createModelServer();
models.setScript(() => ({ kind: "stall", at: "headers" }));
const scratch = createScratch();
let door = "";
const peer = await createWebhookPeer({ channel: "web", door: () => door });
const configPath = scratch.writeConfig(models.url, {
  channels: {
    web: { enabled: true, plugin: peer.url, config: {} },
    bridge: { enabled: true, plugin: "ws://inbound", config: { token } },
  },
  server: { addr: "127.0.0.1:0" },
});
const core = startCore({ configPath, maxLog: 1_000 });
door = await core.door();

const byWebhook = sendByWebhook(peer);
for (let index = 0; index < waiting; index += 1) await byWebhook(`waiting-${index}`);
const bySocket = await sendBySocket(door);
const rows: (readonly string[])[] = [];
const load = (): string => (loadavg()[0] ?? 0).toFixed(1);
for (const atOnce of [1, parallel]) {
  rows.push(
    [
      `webhook, ${atOnce} at once`,
      ...toCells(await measure(byWebhook, `w${atOnce}`, atOnce)),
      load(),
    ],
    [
      `WebSocket, ${atOnce} at once`,
      ...toCells(await measure(bySocket, `s${atOnce}`, atOnce)),
      load(),
    ],
  );
}
process.stdout.write(
  `Acknowledgement while the model hangs and ${waiting} turns wait; ${messages} messages each, ${cpus().length} cores.\n\n`,
);
printTable(["way", "p50", "p99", "slowest", "load"], rows);

const loris = openLoris(door);
const [anew, kept, overSocket]: number[][] = [[], [], []];
const timed = async (times: number[] | undefined, task: () => Promise<unknown>): Promise<void> => {
  const startedMs = performance.now();
  await task();
  times?.push(performance.now() - startedMs);
};
const beganMs = performance.now();
for (let round = 0; performance.now() - beganMs < 15_000; round += 1) {
  await timed(anew, () => askAnew(door));
  await timed(kept, () => byWebhook(`l-${round}`));
  await timed(overSocket, () => bySocket(`ls-${round}`));
  if (loris.all.every(({ socket }) => socket.closed)) break;
  // Nothing is answered meanwhile, and there is an end to what may wait.
  await sleep(roundPauseMs);
}
const cut = loris.all.map(({ cutAfterMs }) => cutAfterMs).filter((ms) => !Number.isNaN(ms));
loris.stop();
const byTime = (times: number[] | undefined): readonly string[] =>
  toCells((times ?? []).sort((one, other) => one - other));
process.stdout.write(
  `\n${lorisCount} clients that never finish their headers: ${cut.length} were cut, the last after ${(Math.max(0, ...cut) / 1_000).toFixed(1)} s.\n\n`,
);
printTable(
  ["others meanwhile", "p50", "p99", "slowest", "load"],
  [
    ["a request over a new connection", ...byTime(anew), load()],
    ["a webhook message", ...byTime(kept), load()],
    ["a WebSocket message", ...byTime(overSocket), load()],
  ],
);
bySocket.close();
core.signal("SIGKILL");
await core[Symbol.asyncDispose]();
await peer[Symbol.asyncDispose]();
await models[Symbol.asyncDispose]();
scratch[Symbol.dispose]();
