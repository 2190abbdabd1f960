import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import {
  createModelServer,
  type ScriptedReply,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { runOpenTalon, type FinishedRun } from "./support/run-opentalon.ts";
import { createScratch, toSkipNote, webhookChannel, type Scratch } from "./support/scratch.ts";
import { createWebhookPeer } from "./support/webhook-peer.ts";

const patient = { timeout: 30_000 };
const isRoot = process.getuid?.() === 0;

/** Starts the program over the state of `scratch`, with one message waiting on its input. */
function start(scratch: Scratch, through: readonly string[] = []): Promise<FinishedRun> {
  // Nothing listens there: no model is asked in these tests.
  const configPath = scratch.writeConfig("http://127.0.0.1:9/v1", { log: { level: "error" } });
  return runOpenTalon({
    folder: scratch.folder,
    arguments: ["--config", configPath],
    input: "/help\n",
    through,
  });
}

/** What stands on standard error for the operator, log lines left out. */
const words = ({ stderr }: FinishedRun): string =>
  stderr
    .split("\n")
    .filter((line) => !line.startsWith("{"))
    .join("\n");

async function createState(scratch: Scratch): Promise<string> {
  expect((await start(scratch)).code).toBe(0);
  return join(scratch.stateFolder, "state.db");
}

describe("a state database that cannot be used", () => {
  it("because it is no database is left alone, and the operator is told how to go on", async () => {
    using scratch = createScratch();
    mkdirSync(scratch.stateFolder);
    const file = join(scratch.stateFolder, "state.db");
    const text = "These are my notes, which somebody put here.\n".repeat(100);
    writeFileSync(file, text);
    const run = await start(scratch);
    expect(run.code).toBe(1);
    expect(run.stdout).toBe("");
    expect(words(run)).toContain(`opentalon: ${file} is damaged or no SQLite database`);
    expect(words(run)).toMatch(/restore a backup/);
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  it("because part of it is missing is left alone, and starts afresh once it was moved aside as told", async () => {
    using scratch = createScratch();
    const file = await createState(scratch);
    truncateSync(file, Math.floor(statSync(file).size / 2));
    const before = readFileSync(file);
    const run = await start(scratch);
    expect(run.code).toBe(1);
    expect(words(run)).toContain(`${file} is damaged`);
    expect(readFileSync(file).equals(before)).toBe(true);

    const advice = words(run)
      .split("\n")
      .find((line) => line.trim().startsWith("mkdir"));
    expect(spawnSync("/bin/sh", ["-c", advice ?? "exit 9"]).status).toBe(0);
    expect((await start(scratch)).code).toBe(0);
    expect(
      readFileSync(join(scratch.stateFolder, "damaged-state", "state.db")).equals(before),
    ).toBe(true);
  });

  it("because a newer OpenTalon wrote it is left alone", async () => {
    using scratch = createScratch();
    const file = await createState(scratch);
    change(file, "INSERT INTO opentalon_schema (version, applied_at) VALUES (9999, '2100-01-01')");
    const before = readFileSync(file);
    const run = await start(scratch);
    expect(run.code).toBe(1);
    expect(words(run)).toContain(`opentalon: ${file} has schema version 9999`);
    expect(words(run)).toMatch(/install the version of OpenTalon that wrote it, or a newer one/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it.each([
    {
      whose: "an old release of the Go program",
      sql: "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (3); CREATE TABLE messages (id TEXT)",
      told: /Go program of OpenTalon.*version 15/,
    },
    {
      whose: "another program",
      sql: "CREATE TABLE invoices (id INTEGER PRIMARY KEY, total REAL); INSERT INTO invoices VALUES (1, 9.5)",
      told: /another program/,
    },
  ])("because it belongs to $whose is left alone", async ({ sql, told }) => {
    using scratch = createScratch();
    mkdirSync(scratch.stateFolder);
    const file = join(scratch.stateFolder, "state.db");
    change(file, sql);
    const before = readFileSync(file);
    const run = await start(scratch);
    expect(run.code).toBe(1);
    expect(words(run)).toContain(`opentalon: ${file} `);
    expect(words(run)).toMatch(told);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it("because another OpenTalon works on it is refused, and the first one goes on", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    await using first = startCore({ configPath: scratch.writeConfig(models.url) });
    await first.ready();
    const run = await start(scratch);
    expect(run.code).toBe(1);
    expect(words(run)).toContain(
      `opentalon: ${scratch.stateFolder} is in use by another OpenTalon process (pid ${first.pid}); stop that process`,
    );
    first.write("still there?\n");
    first.end();
    expect(await first.exited).toBe(0);
    expect(first.output()).toBe("answer: still there?\n");
  });

  it("because there is a file in the place of its folder says so", async () => {
    using scratch = createScratch();
    writeFileSync(scratch.stateFolder, "");
    const run = await start(scratch);
    expect(run.code).toBe(1);
    expect(words(run)).toContain(scratch.stateFolder);
    expect(words(run)).not.toContain("unexpected error");
    expect(readFileSync(scratch.stateFolder, "utf8")).toBe("");
  });

  // Root may write anywhere unless that power is taken away first.
  const withoutPower = isRoot
    ? [
        "setpriv",
        "--bounding-set",
        "-dac_override,-dac_read_search",
        "--inh-caps",
        "-dac_override,-dac_read_search",
      ]
    : [];
  const problem =
    isRoot && spawnSync(withoutPower[0] ?? "", [...withoutPower.slice(1), "true"]).status !== 0
      ? "setpriv cannot take root's power here"
      : undefined;

  it.skipIf(problem !== undefined)(
    `because its folder cannot be written says what to look at${toSkipNote(problem)}`,
    async () => {
      using scratch = createScratch();
      mkdirSync(scratch.stateFolder, { mode: 0o555 });
      const run = await start(scratch, withoutPower);
      chmodSync(scratch.stateFolder, 0o755);
      expect(run.code).toBe(1);
      expect(words(run)).toContain(scratch.stateFolder);
      expect(words(run)).toMatch(/permission/);
      expect(words(run)).not.toContain("unexpected error");
      expect(existsSync(join(scratch.stateFolder, "state.db"))).toBe(false);
    },
  );
});

function change(file: string, sql: string): void {
  using database = new DatabaseSync(file);
  database.exec(sql);
}

/** A small disk of its own at `folder`; `undefined` where this machine does not give one. */
function mountSmallDisk(folder: string): Disposable | undefined {
  mkdirSync(folder);
  if (process.platform !== "linux" || !isRoot) return undefined;
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]);
  if (status !== 0) return undefined;
  return { [Symbol.dispose]: () => void spawnSync("umount", ["-l", folder]) };
}

function canMount(): boolean {
  using scratch = createScratch();
  using disk = mountSmallDisk(join(scratch.folder, "disk"));
  return disk !== undefined;
}

const diskProblem = canMount() ? undefined : "no disk can be mounted";

it.skipIf(diskProblem !== undefined)(
  `a full disk refuses messages in words, loses nothing that was accepted, and all goes on when there is space${toSkipNote(diskProblem)}`,
  async () => {
    using scratch = createScratch();
    using _disk = mountSmallDisk(scratch.stateFolder);
    let door = "";
    await using peer = await createWebhookPeer({ channel: "web", door: () => door });
    const asked = Promise.withResolvers<void>();
    const answering = Promise.withResolvers<ScriptedReply>();
    await using models = await createModelServer(({ index }) => {
      asked.resolve();
      return index === 0 ? answering.promise : { kind: "answer" };
    });
    await using core = startCore({
      configPath: scratch.writeConfig(models.url, webhookChannel(peer.url)),
    });
    door = await core.door();
    const send = async (id: string): Promise<{ status: number; error: string }> => {
      const response = await fetch(`http://${door}/api/channels/web/inbound`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          id,
          conversation_id: `room ${id}`,
          sender_id: "ann",
          content: "x".repeat(20_000),
        }),
      });
      const { error = "" } = (await response.json()) as { error?: string };
      return { status: response.status, error };
    };
    expect((await send("before")).status).toBe(202);
    await asked.promise;

    const filler = join(scratch.stateFolder, "filler");
    fillUp(filler);
    const accepted = ["before"];
    let refusal = await send("0");
    for (let number = 1; refusal.status === 202; number += 1) {
      accepted.push(String(number - 1));
      fillUp(filler);
      refusal = await send(String(number));
    }
    expect(refusal.status).toBe(503);
    expect(refusal.error).toMatch(/no space left/);
    // Its turn ends while nothing can be written.
    answering.resolve({ kind: "message", text: "y".repeat(20_000) });
    await core.logged(({ msg }) => msg.includes("will be tried again"));

    rmSync(filler);
    await expect.poll(async () => (await send("after")).status, patient).toBe(202);
    accepted.push("after");
    const answered = (): readonly string[] =>
      peer.arrived.map(({ metadata }) => metadata["in_reply_to"] ?? "");
    await expect.poll(() => answered().toSorted(), patient).toEqual(accepted.toSorted());
    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
  },
);

/** Takes all the space that is left on the disk of `file`. */
function fillUp(file: string): void {
  for (const size of [65_536, 4_096]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(size), { flag: "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}
