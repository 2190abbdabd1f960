import { findFreePort } from "../../../packages/opentalon/src/base/testing/find-free-port.ts";
import { createModelServer } from "../../../packages/opentalon/src/providers/testing/model-server.ts";
import { type CoreProcess, type LogLine, startCore } from "../core-process.ts";
import { createScratch } from "../scratch.ts";
import { createKillPeer, killedChannel, type PeerKind } from "./kill-peers.ts";

export const victims = ["peer", "core"] as const;

export interface KillOptions {
  readonly kind: PeerKind;
  readonly victim: (typeof victims)[number];
  readonly kills: number;
}

/** What became of the messages. Each is brought until the core has said that it took it. */
export interface KillLedger extends KillOptions {
  readonly said: number;
  /** Messages that were acknowledged to the other side, as far as it heard. */
  readonly acknowledged: number;
  readonly answered: number;
  /** Answers on their way when somebody was killed: reported in the log, not sent again. */
  readonly reportedUnknown: number;
  readonly lost: number;
  /** Messages with more than one answer. */
  readonly doubled: number;
}

/** 50 messages a second. */
const intervalMs = 20;
const conversations = 10;
/** Between two kills so many more messages are answered, as long as there are any left. */
const answersBetween = 15;
const messagesPerKill = 25;
const patienceMs = 90_000;

/** Kills one side of a channel again and again while messages come, and accounts for each message. */
export async function runKills(options: KillOptions): Promise<KillLedger> {
  const { kind, victim, kills } = options;
  const messages = kills * messagesPerKill;
  await using models = await createModelServer(undefined, { maxRecorded: 0 });
  using scratch = createScratch();
  const port = await findFreePort();
  const pace = { messages, conversations, intervalMs };
  await using peer = await createKillPeer(kind, { folder: scratch.folder, port, ...pace });
  const configPath = scratch.writeConfig(models.url, {
    channels: {
      [killedChannel]: { enabled: true, rate_limit: { messages: 0 }, ...peer.entry },
      console: { enabled: true, plugin: "console" },
    },
    server: { addr: `127.0.0.1:${port}` },
  });
  const unknown = new Set<string>();
  const noteUnknown = (lines: readonly LogLine[]): void => {
    for (const line of lines) {
      if (!line.msg.includes("may or may not have arrived")) continue;
      unknown.add(/m\d+$/.exec(String(line["inReplyTo"]))?.[0] ?? "");
    }
  };
  const settledCount = (core: CoreProcess): number => {
    noteUnknown(core.log);
    return new Set([...peer.answered(), ...unknown]).size;
  };

  let core = startCore({ configPath });
  try {
    await core.ready();
    peer.start();
    for (let kill = 0; kill < kills; kill += 1) {
      const before = settledCount(core);
      await until(() => settledCount(core) >= Math.min(messages, before + answersBetween));
      if (victim === "peer") await peer.kill();
      else {
        core.signal("SIGKILL");
        await core.exited;
        noteUnknown(core.log);
        core = startCore({ configPath });
      }
    }
    await until(() => settledCount(core) >= messages);
    core.signal("SIGTERM");
    await core.exited;
    noteUnknown(core.log);
  } finally {
    await core[Symbol.asyncDispose]();
  }
  const answers = peer.answered();
  const answered = new Set(answers);
  return {
    ...options,
    said: messages,
    acknowledged: peer.acknowledged().size,
    answered: answered.size,
    reportedUnknown: [...unknown].filter((id) => !answered.has(id)).length,
    lost: messages - new Set([...answered, ...unknown]).size,
    doubled: [...answered].filter((id) => answers.indexOf(id) !== answers.lastIndexOf(id)).length,
  };
}

/** Resolves also when it took too long: then the ledger tells what is missing. */
async function until(isReached: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  while (!isReached() && Date.now() < deadlineMs)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

export function toKillLine({ kind, victim, kills, ...ledger }: KillLedger): string {
  const { said, answered, reportedUnknown, lost, doubled } = ledger;
  return `${kind}, ${victim} killed ${kills} times under 50 messages/s: ${said} said, ${answered} answered, ${reportedUnknown} of unknown outcome, ${lost} lost, ${doubled} answered twice`;
}
