import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findFreePort } from "../../../packages/opentalon/src/base/testing/find-free-port.ts";
import { createFakeChat } from "../../../packages/opentalon/src/channels/testing/fake-chat.ts";
import { root } from "../scratch.ts";
import { readPeerNotes } from "./peer-journal.ts";

/** The other side of a channel, which lives in a process of its own and says so many messages at a steady rate. */
export interface KillPeer extends AsyncDisposable {
  /** The channel's entry. */
  readonly entry: Readonly<Record<string, unknown>>;
  /** Begins to talk. */
  readonly start: () => void;
  /** SIGKILL; it is there again soon. */
  readonly kill: () => Promise<void>;
  /** Messages the core has said it took. */
  readonly acknowledged: () => ReadonlySet<string>;
  /** The message each reply answers, once for each time it was shown. */
  readonly answered: () => readonly string[];
}

export interface KillPeerOptions {
  /** An empty folder. */
  readonly folder: string;
  /** Of the core's door. */
  readonly port: number;
  readonly messages: number;
  readonly conversations: number;
  readonly intervalMs: number;
}

export const peerKinds = ["process", "elsewhere", "webhook", "websocket"] as const;
export type PeerKind = (typeof peerKinds)[number];

export const killedChannel = "killed";

export function createKillPeer(kind: PeerKind, options: KillPeerOptions): Promise<KillPeer> {
  switch (kind) {
    case "process":
    case "elsewhere":
      return createProgramPeer(kind, options);
    case "webhook":
    case "websocket":
      return createNetworkPeer(kind, options);
  }
}

const here = import.meta.dirname;
const token = "a-channel-token-of-good-length";

/** A program that keeps a journal, and reads it when it is started again. */
async function createNetworkPeer(
  kind: "webhook" | "websocket",
  { folder, port, ...pace }: KillPeerOptions,
): Promise<KillPeer> {
  const journal = join(folder, "peer.journal");
  const replyPort = await findFreePort();
  const door = `127.0.0.1:${port}`;
  const [program, entry, more] =
    kind === "webhook"
      ? [
          "webhook-peer-program.ts",
          { plugin: `http://127.0.0.1:${replyPort}/out` },
          { url: `http://${door}/api/channels/${killedChannel}/inbound`, port: replyPort },
        ]
      : [
          "socket-peer-program.ts",
          { plugin: "ws://inbound", config: { token, acks: true } },
          { url: `ws://${door}/api/channels/ws`, channel: killedChannel, token },
        ];
  const settings = JSON.stringify({ ...pace, ...more, journal });
  let child: ChildProcess | undefined;
  const start = (): void => {
    child = spawn(process.execPath, [join(here, program), settings], { stdio: "ignore" });
  };
  const end = (): Promise<void> => endChild(child);
  return {
    entry,
    start,
    kill: async () => {
      await end();
      start();
    },
    acknowledged: () =>
      new Set(readPeerNotes(journal).flatMap((note) => (note.kind === "acked" ? [note.id] : []))),
    answered: () => {
      const replies = readPeerNotes(journal).filter((note) => note.kind === "reply");
      if (kind === "webhook") return replies.map(({ inReplyTo }) => inReplyTo);
      // A peer that acknowledges knows a delivery that comes again.
      const shown = new Map(replies.map(({ deliveryId, inReplyTo }) => [deliveryId, inReplyTo]));
      return [...shown.values()];
    },
    [Symbol.asyncDispose]: end,
  };
}

/** A channel program that writes down what it is sent; its people, who are here, say again what was not acknowledged. */
async function createProgramPeer(
  kind: "process" | "elsewhere",
  { folder, messages, conversations, intervalMs }: KillPeerOptions,
): Promise<KillPeer> {
  const chat = await createFakeChat();
  const journal = join(folder, "answers");
  // One that is started here is the best a channel can be; one that runs elsewhere knows no delivery it has seen.
  const fake = { chat: chat.path, journal, receipts: true, knowsRepeats: kind === "process" };
  const remotePort = await findFreePort();
  let child: ChildProcess | undefined;
  const startRemote = (): void => {
    const [program = "", ...rest] = chat.command({ ...fake, listen: "tcp", port: remotePort });
    child = spawn(program, rest, { stdio: "ignore" });
  };
  if (kind === "elsewhere") startRemote();

  const acknowledged = (): ReadonlySet<string> =>
    new Set(chat.acknowledged.map((receipt) => receipt.replace("receipt of ", "")));
  let said = 0;
  let starts = 0;
  let timer: NodeJS.Timeout | undefined;
  const say = (index: number): Promise<void> =>
    chat.say(`m${index}`, {
      conversation_id: `room-${index % conversations}`,
      metadata: { message_id: `m${index}` },
    });
  const talk = (): void => {
    // Whoever is new has nothing of what was on its way.
    if (chat.starts.length > starts) {
      starts = chat.starts.length;
      const taken = acknowledged();
      for (let index = 0; index < said; index += 1) if (!taken.has(`m${index}`)) void say(index);
    }
    if (said < messages && chat.connections() > 0) void say((said += 1) - 1);
  };
  return {
    entry:
      kind === "process"
        ? writeProgram(folder, fake)
        : { plugin: `grpc://127.0.0.1:${remotePort}`, access: { policy: "open" } },
    start: () => {
      timer = setInterval(talk, intervalMs);
    },
    kill: async () => {
      if (kind === "elsewhere") {
        await endChild(child);
        return startRemote();
      }
      const pid = chat.pids.at(-1);
      if (pid !== undefined && chat.connections() > 0) process.kill(pid, "SIGKILL");
    },
    acknowledged,
    answered: () =>
      !existsSync(journal)
        ? []
        : readFileSync(journal, "utf8")
            .split("\n")
            .flatMap((line) => /^answer: (m\d+)(?:\t|$)/.exec(line)?.[1] ?? []),
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await endChild(child);
      await chat[Symbol.asyncDispose]();
    },
  };
}

async function endChild(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

function writeProgram(folder: string, fake: object): Readonly<Record<string, unknown>> {
  const script = join(root, "packages/opentalon/src/channels/testing/fake-channel.ts");
  const path = join(folder, "channel-program");
  writeFileSync(path, `#!/bin/sh\nexec "${process.execPath}" "${script}" "$FAKE_CHANNEL"\n`);
  chmodSync(path, 0o755);
  const env = [`FAKE_CHANNEL=${JSON.stringify(fake)}`];
  return { plugin: path, env, access: { policy: "open" } };
}
