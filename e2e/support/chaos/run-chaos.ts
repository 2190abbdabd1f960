import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startCore, type CoreProcess, type LogLine } from "../core-process.ts";
import { findFreePort } from "../../../packages/opentalon/src/base/testing/find-free-port.ts";
import { createModelServer } from "../../../packages/opentalon/src/providers/testing/model-server.ts";
import { createWebhookPeer } from "../webhook-peer.ts";
import { sourceArguments } from "../../../packages/opentalon/src/base/testing/source-arguments.ts";

export interface ChaosOptions {
  readonly engine: "sqlite" | "postgres";
  /** Needed by `postgres`. */
  readonly dsn?: string;
  /** How often the core is killed with SIGKILL. */
  readonly kills: number;
  readonly conversations: number;
  /** An empty folder for state and logs. */
  readonly folder: string;
  readonly random: () => number;
  readonly onProgress?: (line: string) => void;
}

/** What became of the messages. Everything accepted is answered, reported failed or delivered with unknown outcome. */
export interface Ledger {
  readonly engine: string;
  readonly kills: number;
  /** Messages the core said it had taken. */
  readonly accepted: number;
  readonly answered: number;
  /** Answered with an explanation instead of an answer. */
  readonly reportedFailed: number;
  /** Being sent when the core died, reported in the log, not sent again. */
  readonly reportedUnknown: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  /** Tool calls with a side effect that ran. */
  readonly toolRuns: number;
  readonly toolRunsRepeated: number;
}

const answerTimeoutMs = 60_000;

/** Kills the core at random moments while messages keep coming, and accounts for each of them. */
export async function runChaos(options: ChaosOptions): Promise<Ledger> {
  const { folder, random, kills } = options;
  const ledgerFile = join(folder, "ledger.txt");
  writeFileSync(ledgerFile, "");
  mkdirSync(join(folder, "state"));
  const port = await findFreePort();
  await using modelServer = await createModelServer(
    async () => {
      await pause(random() * 40);
      return { kind: "answer" };
    },
    { maxRecorded: 0 },
  );
  await using peer = await createWebhookPeer({ channel: "load", door: () => `127.0.0.1:${port}` });
  const configPath = join(folder, "config.yaml");
  writeFileSync(
    configPath,
    toConfig(options, { port, modelUrl: modelServer.url, peerUrl: peer.url, ledgerFile }),
  );

  const accepted = new Set<string>();
  let sending = true;
  const senders = Array.from({ length: options.conversations }, async (_, number) => {
    for (let sequence = 1; sending; sequence += 1) {
      const id = `${number}-${sequence}`;
      const content = sequence % 4 === 0 ? `tool: ledger__add {"id":"${id}"}` : `message ${id}`;
      // A platform delivers again until it is told that the message was taken; the second time must change nothing.
      while ((await peer.post({ id, conversation: `room-${number}`, content })) !== 202)
        await pause(20);
      accepted.add(id);
      if (random() < 0.1) await peer.post({ id, conversation: `room-${number}`, content });
      await pause(random() * 60);
    }
  });

  const unknown = new Set<string>();
  const noteUnknown = (lines: readonly LogLine[]): void => {
    for (const line of lines) {
      if (line.msg.includes("may or may not have arrived")) unknown.add(String(line["inReplyTo"]));
    }
  };
  let core: CoreProcess = startCore({ configPath });
  for (let kill = 1; kill <= kills; kill += 1) {
    // Some kills hit the start, most hit turns under way.
    await pause(random() < 0.2 ? random() * 300 : 400 + random() * 1_200);
    core.signal("SIGKILL");
    await core.exited;
    noteUnknown(core.log);
    options.onProgress?.(
      `${options.engine}: kill ${kill}/${kills}, ${accepted.size} accepted, ${peer.arrived.length} replies`,
    );
    core = startCore({ configPath });
  }
  await core.ready();
  await pause(500);
  sending = false;
  await Promise.all(senders);

  const isSettled = (id: string): boolean => answeredIds.has(id) || unknown.has(id);
  const answeredIds = new Set<string>();
  const deadlineMs = Date.now() + answerTimeoutMs;
  do {
    await pause(100);
    for (const { metadata } of peer.arrived) answeredIds.add(metadata["in_reply_to"] ?? "");
    noteUnknown(core.log);
  } while (Date.now() < deadlineMs && ![...accepted].every(isSettled));
  core.signal("SIGTERM");
  await core.exited;

  return toLedger(options, {
    accepted,
    unknown,
    arrived: peer.arrived.map(({ metadata }) => metadata),
    ledgerFile,
  });
}

function toLedger(
  { engine, kills }: ChaosOptions,
  seen: {
    readonly accepted: ReadonlySet<string>;
    readonly unknown: ReadonlySet<string>;
    readonly arrived: readonly Readonly<Record<string, string>>[];
    readonly ledgerFile: string;
  },
): Ledger {
  const replies = new Map<string, Readonly<Record<string, string>>[]>();
  const newest = new Map<string, number>();
  let outOfOrder = 0;
  for (const metadata of seen.arrived) {
    const id = metadata["in_reply_to"] ?? "";
    replies.set(id, [...(replies.get(id) ?? []), metadata]);
    const [room = "", sequence = "0"] = id.split("-");
    if (Number(sequence) < (newest.get(room) ?? 0)) outOfOrder += 1;
    newest.set(room, Math.max(Number(sequence), newest.get(room) ?? 0));
  }
  const runs = readFileSync(seen.ledgerFile, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const failed = [...replies.values()].filter(([first]) => first?.["type"] === "error").length;
  return {
    engine,
    kills,
    accepted: seen.accepted.size,
    answered: [...seen.accepted].filter((id) => replies.has(id)).length - failed,
    reportedFailed: failed,
    reportedUnknown: [...seen.unknown].filter((id) => !replies.has(id)).length,
    lost: [...seen.accepted].filter((id) => !replies.has(id) && !seen.unknown.has(id)).length,
    doubled: [...replies.values()].filter((all) => all.length > 1).length,
    outOfOrder,
    toolRuns: runs.length,
    toolRunsRepeated: runs.length - new Set(runs).size,
  };
}

function toConfig(
  { engine, dsn, folder }: ChaosOptions,
  at: { port: number; modelUrl: string; peerUrl: string; ledgerFile: string },
): string {
  const plugin = [
    process.execPath,
    ...sourceArguments,
    join(import.meta.dirname, "ledger-plugin.ts"),
    at.ledgerFile,
  ];
  const config = {
    models: {
      providers: {
        local: {
          base_url: at.modelUrl,
          api_key: "test-key-for-loopback",
          api: "openai-completions",
          models: [{ id: "test-model", features: ["tools"] }],
        },
      },
    },
    routing: { primary: "local/test-model" },
    plugins: { ledger: { enabled: true, plugin } },
    channels: { load: { enabled: true, plugin: at.peerUrl, config: {} } },
    server: { addr: `127.0.0.1:${at.port}` },
    state: {
      data_dir: join(folder, "state"),
      ...(engine === "postgres" ? { db: { driver: "postgres", dsn } } : {}),
    },
  };
  // JSON is YAML.
  return JSON.stringify(config, null, 2);
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** No model or tool fails here, so that an explanation instead of an answer is a defect like a lost message. */
export function isClean(ledger: Ledger): boolean {
  const { lost, doubled, reportedFailed, outOfOrder, toolRunsRepeated } = ledger;
  return lost + doubled + reportedFailed + outOfOrder + toolRunsRepeated === 0;
}
