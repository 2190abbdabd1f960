import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  createModelServer,
  type ScriptedReply,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { isRunning, readPluginPids } from "./support/processes.ts";
import { runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, fakePlugin, webhookChannel } from "./support/scratch.ts";
import { createWebhookPeer } from "./support/webhook-peer.ts";

const patient = { timeout: 20_000 };

/** A model that answers when it is told to. */
function createSlowReply(): {
  readonly script: () => Promise<ScriptedReply>;
  readonly release: () => void;
} {
  const { promise, resolve } = Promise.withResolvers<void>();
  const script = async (): Promise<ScriptedReply> => {
    await promise;
    return { kind: "message", text: "a late answer" };
  };
  return { script, release: () => resolve() };
}

async function isClosing(door: string): Promise<boolean> {
  const response = await fetch(`http://${door}/readyz`);
  return response.status === 503 && (await response.text()).includes("closing");
}

describe("SIGTERM", () => {
  it("stops intake at once, while the turn under way finishes and its reply arrives", async () => {
    using scratch = createScratch();
    let door = "";
    await using peer = await createWebhookPeer({ channel: "web", door: () => door });
    const slow = createSlowReply();
    await using models = await createModelServer(slow.script);
    const configPath = scratch.writeConfig(models.url, webhookChannel(peer.url));
    await using core = startCore({ configPath });
    door = await core.door();
    expect(await peer.post({ id: "1", conversation: "c", content: "hello" })).toBe(202);
    await expect.poll(() => models.requests.length, patient).toBe(1);

    core.signal("SIGTERM");
    await expect.poll(() => isClosing(door), patient).toBe(true);
    expect([0, 503]).toContain(
      await peer.post({ id: "2", conversation: "d", content: "too late" }),
    );
    expect(peer.arrived).toEqual([]);

    slow.release();
    expect(await core.exited).toBe(0);
    expect(peer.arrived.map(({ content }) => content)).toEqual(["a late answer"]);
    expect(models.requests).toHaveLength(1);
    expect(core.log.filter(({ level }) => level >= 50)).toEqual([]);
    expect(core.otherErrors()).toBe("");
  });

  it("leaves no plugin process, no socket and no temporary folder", async () => {
    using scratch = createScratch();
    const temporary = join(scratch.folder, "t");
    mkdirSync(temporary);
    const journal = join(scratch.folder, "journal");
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url, {
      plugins: {
        one: fakePlugin({ name: "one", journal, grandchild: true }),
        two: fakePlugin({ name: "two", journal, generation: "json" }),
      },
    });
    await using core = startCore({ configPath, environment: { TMPDIR: temporary } });
    await core.ready();
    const pids = readPluginPids(journal);
    expect(pids).toHaveLength(3);
    expect(pids.every(isRunning)).toBe(true);

    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
    await expect.poll(() => pids.filter(isRunning), patient).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
    expect(readdirSync(join(scratch.stateFolder, "plugin-folders"))).toEqual([]);
  });

  it("sent twice ends soon even while a model hangs, and the message is answered after the next start, once", async () => {
    using scratch = createScratch();
    const journal = join(scratch.folder, "journal");
    let door = "";
    await using peer = await createWebhookPeer({ channel: "web", door: () => door });
    await using models = await createModelServer({ kind: "stall", at: "headers" });
    const configPath = scratch.writeConfig(models.url, {
      ...webhookChannel(peer.url),
      plugins: { fake: fakePlugin({ journal }) },
    });
    {
      await using core = startCore({ configPath });
      door = await core.door();
      expect(await peer.post({ id: "1", conversation: "c", content: "anyone?" })).toBe(202);
      await expect.poll(() => models.requests.length, patient).toBe(1);
      core.signal("SIGTERM");
      await expect.poll(() => isClosing(door), patient).toBe(true);
      const secondAtMs = performance.now();
      core.signal("SIGTERM");
      expect(await core.exited).toBe(1);
      // Far below the 25 s a turn may take otherwise.
      expect(performance.now() - secondAtMs).toBeLessThan(8_000);
      await expect.poll(() => readPluginPids(journal).filter(isRunning), patient).toEqual([]);
    }
    models.setScript({ kind: "answer" });
    for (let start = 1; start <= 2; start += 1) {
      await using core = startCore({ configPath });
      door = await core.door();
      await expect.poll(() => peer.arrived.length, patient).toBe(1);
      core.signal("SIGTERM");
      expect(await core.exited).toBe(0);
    }
    expect(peer.arrived.map(({ content }) => content)).toEqual(["answer: anyone?"]);
    expect(models.requests).toHaveLength(2);
  });
});

describe("SIGKILL", () => {
  it("of the core leaves no plugin process behind, nor what the plugin started", async () => {
    using scratch = createScratch();
    const journal = join(scratch.folder, "journal");
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url, {
      plugins: { stubborn: fakePlugin({ journal, ignoreSignals: true, grandchild: true }) },
    });
    await using core = startCore({ configPath });
    await core.ready();
    const pids = readPluginPids(journal);
    expect(pids).toHaveLength(2);
    core.signal("SIGKILL");
    expect(await core.exited).toBe("SIGKILL");
    await expect.poll(() => pids.filter(isRunning), patient).toEqual([]);
  });
});

describe("the end of the input", () => {
  it("of a piped console waits for all answers and then ends with exit code 0", async () => {
    using scratch = createScratch();
    await using models = await createModelServer(async ({ body }) => ({
      kind: "message",
      text: `answer: ${body.messages?.at(-1)?.content ?? ""}`,
      delayMs: 100,
    }));
    await using core = startCore({ configPath: scratch.writeConfig(models.url) });
    core.write("one\ntwo\nthree, without a line feed at its end");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe(
      "answer: one\nanswer: two\nanswer: three, without a line feed at its end\n",
    );
  });

  it("before anything was said ends with exit code 0 and says nothing", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url, { log: { level: "warn" } });
    const finished = await runOpenTalon({
      folder: scratch.folder,
      arguments: ["--config", configPath],
    });
    expect(finished).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(models.requests).toEqual([]);
  });
});
