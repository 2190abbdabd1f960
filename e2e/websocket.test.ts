import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findFreePort } from "../packages/opentalon/src/base/testing/find-free-port.ts";
import {
  dialAsPeer,
  waitForFrames,
} from "../packages/opentalon/src/channels/testing/socket-peer.ts";
import { startSocketPlatform } from "../packages/opentalon/src/channels/testing/socket-platform.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore, type CoreProcess } from "./support/core-process.ts";
import { createScratch } from "./support/scratch.ts";
import { readNotes, type SocketPeerSettings } from "./support/socket-peer-program.ts";

const patient = { timeout: 90_000, interval: 100 };
const token = "a-channel-token-of-good-length";

const inbound = { enabled: true, plugin: "ws://inbound", config: { token, acks: true } };

const said = (id: string, content = id) => ({
  id,
  conversation_id: "room",
  sender_id: "ann",
  content,
});

describe("a channel over a WebSocket", () => {
  it("that dials us: one turn for a message that comes four times, over a restart too", async () => {
    await using models = await createModelServer();
    using scratch = createScratch();
    const configPath = scratch.writeConfig(models.url, {
      channels: { bridge: inbound },
      server: { addr: "127.0.0.1:0" },
    });
    const dial = async (core: CoreProcess) => {
      const peer = await dialAsPeer(`http://${await core.door()}/api/channels/ws`);
      peer.send({ type: "identify", id: "bridge", token, acks: true });
      peer.onFrame(({ type, delivery_id: id }) => {
        if (type === "message") peer.send({ type: "ack", id });
      });
      return peer;
    };
    {
      await using core = startCore({ configPath });
      using peer = await dial(core);
      peer.send(said("m1", "Grüße 🎉"));
      peer.send(said("m1", "Grüße 🎉"));
      await waitForFrames(peer, "ack", 2);
      expect(await waitForFrames(peer, "message")).toMatchObject([
        { content: "answer: Grüße 🎉", metadata: { in_reply_to: "m1" } },
      ]);
      core.signal("SIGTERM");
      expect(await core.exited).toBe(0);
      expect(await peer.ended).toBe(1001);
      expect(JSON.stringify(core.log)).not.toContain(token);
    }
    await using core = startCore({ configPath });
    using peer = await dial(core);
    peer.send(said("m1", "Grüße 🎉"));
    peer.send(said("m1", "Grüße 🎉"));
    peer.send(said("m2"));
    expect(await waitForFrames(peer, "ack", 3)).toMatchObject([
      { id: "m1", duplicate: true },
      { id: "m1", duplicate: true },
      { id: "m2" },
    ]);
    await waitForFrames(peer, "message");
    expect(models.requests).toHaveLength(2);
  });

  it("that we dial: answers come back, also those of the time it was away", async () => {
    await using models = await createModelServer();
    await using platform = await startSocketPlatform();
    using scratch = createScratch();
    const configPath = scratch.writeConfig(models.url, {
      channels: { bridge: { enabled: true, plugin: platform.url.href, config: { token } } },
    });
    await using core = startCore({ configPath });
    await core.ready();
    await expect.poll(() => platform.openConnections(), patient).toBe(1);
    expect(platform.dialled[0]?.authorization).toBe(`Bearer ${token}`);
    platform.send({ type: "identify", acks: true });
    platform.onFrame((frame, answer) => {
      if (frame["type"] === "identify") answer({ type: "identify", acks: true });
      // The moment the message is on disk the line goes dead.
      if (frame["type"] === "ack") platform.cut();
      if (frame["type"] === "message") answer({ type: "ack", id: frame["delivery_id"] });
    });
    platform.send(said("m1", "hello"));
    const answers = (): readonly unknown[] =>
      platform.frames.filter(({ type }) => type === "message").map(({ content }) => content);
    await expect.poll(answers, patient).toContain("answer: hello");
    expect(platform.dialled.length).toBeGreaterThan(1);
  });

  it("refuses strangers, and tells them nothing", async () => {
    await using models = await createModelServer();
    using scratch = createScratch();
    const configPath = scratch.writeConfig(models.url, {
      channels: { bridge: inbound },
      server: { addr: "127.0.0.1:0" },
    });
    await using core = startCore({ configPath });
    using peer = await dialAsPeer(`http://${await core.door()}/api/channels/ws`);
    peer.send({ type: "identify", id: "bridge", token: "guessed" });
    expect(await peer.ended).toBe(4401);
    expect(models.requests).toHaveLength(0);
  });
});

const program = join(import.meta.dirname, "support", "socket-peer-program.ts");
const messages = 600;
const kills = 20;
const conversations = 10;

for (const victim of ["the peer", "the core"] as const) {
  describe(`${victim} of a WebSocket channel, killed again and again`, () => {
    it(`loses nothing and answers nothing twice`, { timeout: 280_000 }, async () => {
      await using models = await createModelServer();
      using scratch = createScratch();
      const port = await findFreePort();
      const configPath = scratch.writeConfig(models.url, {
        channels: { bridge: inbound },
        server: { addr: `127.0.0.1:${port}` },
      });
      const settings: SocketPeerSettings = {
        url: `ws://127.0.0.1:${port}/api/channels/ws`,
        channel: "bridge",
        token,
        journal: join(scratch.folder, "peer.journal"),
        messages,
        conversations,
        // 50 messages a second.
        intervalMs: 20,
      };
      const startPeer = (): ChildProcess =>
        spawn(process.execPath, [program, JSON.stringify(settings)], { stdio: "ignore" });
      let core = startCore({ configPath });
      let peer = startPeer();
      try {
        await core.ready();
        const countNotes = (): number => readNotes(settings.journal).length;
        for (let killed = 0; killed < kills; killed += 1) {
          // Between two kills something happens, as long as there is something left to happen.
          const before = countNotes();
          const isOver = (): boolean => before >= 2 * messages || countNotes() >= before + 20;
          await expect.poll(isOver, patient).toBe(true);
          if (victim === "the core") {
            core.signal("SIGKILL");
            await core.exited;
            core = startCore({ configPath });
          } else {
            peer.kill("SIGKILL");
            await once(peer, "exit");
            peer = startPeer();
          }
        }
        const count = () => countJournal(settings.journal);
        await expect.poll(() => count().answered, patient).toBe(messages);
        const { acked, answered, answeredTwice, repeated } = count();
        console.log(
          `${victim} killed ${kills} times under 50 messages/s: ${acked} accepted, ${answered} answered, ` +
            `${acked - answered} lost, ${answeredTwice} answered twice; ${repeated} deliveries came again under the same id`,
        );
        expect({ acked, answered, answeredTwice }).toEqual({
          acked: messages,
          answered: messages,
          answeredTwice: 0,
        });
      } finally {
        peer.kill("SIGKILL");
        if (peer.exitCode === null && peer.signalCode === null) await once(peer, "exit");
        await core[Symbol.asyncDispose]();
      }
    });
  });
}

function countJournal(journal: string): {
  readonly acked: number;
  readonly answered: number;
  readonly answeredTwice: number;
  readonly repeated: number;
} {
  const notes = readNotes(journal);
  const acked = new Set(notes.flatMap((note) => (note.kind === "acked" ? [note.id] : [])));
  const deliveries = new Map<string, Set<string>>();
  let repeated = 0;
  for (const note of notes) {
    if (note.kind !== "reply") continue;
    if (note.isRepeated) repeated += 1;
    const known = deliveries.get(note.inReplyTo) ?? new Set();
    deliveries.set(note.inReplyTo, known.add(note.deliveryId));
  }
  const twice = [...deliveries.values()].filter(({ size }) => size > 1).length;
  return { acked: acked.size, answered: deliveries.size, answeredTwice: twice, repeated };
}
