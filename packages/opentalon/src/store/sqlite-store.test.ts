import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { defaultStoreLimits, type Store } from "./ports.ts";
import { createSqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
import { describeBudgetStore } from "./budget-store.contract.ts";
import { describePluginState } from "./plugin-state.contract.ts";
import { describeRoutingStore } from "./routing-store.contract.ts";
import { createMessage, createReply, describeStore, type StorePlace } from "./store.contract.ts";

function createDirectory(): string {
  return mkdtempSync(join(tmpdir(), "opentalon-store-"));
}

async function createPlace(): Promise<StorePlace> {
  const dataDirectory = createDirectory();
  return {
    open: (options) => createSqliteStore({ ...options, dataDirectory }),
    [Symbol.asyncDispose]: async () => rmSync(dataDirectory, { recursive: true, force: true }),
  };
}

describeStore("SQLite", createPlace);
describeBudgetStore("SQLite", createPlace);
describeRoutingStore("SQLite", createPlace);
describePluginState("SQLite", createPlace);

describe("the SQLite store", () => {
  let root: string;
  let directory: string;
  let file: string;
  const open = (options: Partial<SqliteStoreOptions> = {}): Promise<Store> => {
    const clock = createManualClock();
    return createSqliteStore({
      dataDirectory: directory,
      clock,
      limits: defaultStoreLimits,
      ...options,
    });
  };
  const close = (store: Store): Promise<void> => store[Symbol.asyncDispose]();
  const change = (sql: string): void => {
    using database = new DatabaseSync(file);
    database.exec(sql);
  };

  beforeEach(() => {
    root = createDirectory();
    directory = root;
    file = join(directory, "state.db");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("makes its directory, and shows it and its files to nobody else", async () => {
    directory = join(directory, "new", "data");
    file = join(directory, "state.db");
    await using store = await open();
    await store.keyValue.set("n", "k", "v");
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    for (const name of ["state.db", "state.db-wal", "state.db-shm", "state.pid"]) {
      expect([name, statSync(join(directory, name)).mode & 0o777]).toEqual([name, 0o600]);
    }
  });

  it("says what to do about a file that is no database, and leaves it as it is", async () => {
    writeFileSync(file, "this is not a database ".repeat(1_000));
    const before = readFileSync(file);
    await expect(open()).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    await expect(open()).rejects.toThrow(new RegExp(`${file}.*restore a backup.*mv`, "s"));
    expect(readFileSync(file)).toEqual(before);
    rmSync(file);
    await close(await open());
  });

  it("finds a damaged page at start", async () => {
    const store = await open();
    for (let index = 0; index < 200; index += 1)
      await store.keyValue.set("n", `k${index}`, "v".repeat(500));
    await close(store);
    const descriptor = openSync(file, "r+");
    writeSync(
      descriptor,
      Buffer.alloc(8_192, 0xa5),
      0,
      8_192,
      Math.floor(statSync(file).size / 8_192 / 2) * 8_192,
    );
    closeSync(descriptor);
    await expect(open()).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  });

  it("keeps away from a database of a newer version", async () => {
    await close(await open());
    change("INSERT INTO opentalon_schema VALUES (7, '')");
    const opening = open();
    await expect(opening).rejects.toMatchObject({ code: "STORE_TOO_NEW" });
    await expect(opening).rejects.toThrow(
      `${file} has schema version 7, but this OpenTalon knows versions up to 6`,
    );
  });

  it("keeps away from a database of the Go program that it cannot read", async () => {
    change(
      "CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version VALUES (14)",
    );
    const opening = open();
    await expect(opening).rejects.toMatchObject({ code: "STORE_FOREIGN" });
    await expect(opening).rejects.toThrow(/schema version 14; only version 15/);
  });

  it("changes nothing in the file of another program, its journal mode included", async () => {
    change("CREATE TABLE invoices (id INTEGER PRIMARY KEY); INSERT INTO invoices VALUES (1)");
    const before = readFileSync(file);
    const opening = open();
    await expect(opening).rejects.toMatchObject({ code: "STORE_FOREIGN" });
    await expect(opening).rejects.toThrow(/another program \(it has a table "invoices"\)/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it("adopts a database of the Go program with its conversations", async () => {
    change(`
      CREATE TABLE schema_version (version INTEGER NOT NULL);
      INSERT INTO schema_version VALUES (15);
      CREATE TABLE sessions (id TEXT PRIMARY KEY, summary TEXT, active_model TEXT, metadata TEXT, created_at TEXT,
        updated_at TEXT, entity_id TEXT DEFAULT '', group_id TEXT DEFAULT '', injection_state TEXT DEFAULT '{}',
        title TEXT, channel_id TEXT DEFAULT '', interaction_kind TEXT DEFAULT 'chat');
      CREATE TABLE messages (session_id TEXT, seq INTEGER, role TEXT, content TEXT, created_at TEXT, tool_calls TEXT,
        tool_call_id TEXT, metadata TEXT, visibility TEXT, UNIQUE (session_id, seq));
      INSERT INTO sessions (id, active_model) VALUES ('console:room', 'go/model');
      INSERT INTO messages (session_id, seq, role, content) VALUES ('console:room', 1, 'system', 'old prompt');
      INSERT INTO messages (session_id, seq, role, content) VALUES ('console:room', 2, 'user', 'from before');
      INSERT INTO messages VALUES ('console:room', 3, 'assistant', '', '',
        '[{"id":"1","plugin":"p","action":"a","args":{"x":"y"}}]', NULL, NULL, NULL);
      INSERT INTO messages VALUES ('console:room', 4, 'tool', 'result', '', NULL, '1', '', NULL);
    `);
    await using store = await open();
    const outcome = await store.inbox.accept(createMessage("a"), "console:room");
    if (outcome.kind !== "accepted") throw new Error("not accepted");
    const session = { appended: [{ role: "user", content: "new" } as const] };
    await store.commitTurn({ entry: outcome.entry, reply: createReply("hi"), session, usage: [] });
    expect(await store.sessions.load("console:room", 0)).toEqual({
      key: "console:room",
      pinnedModel: "go/model",
      messages: [
        { role: "user", content: "from before" },
        {
          role: "assistant",
          content: "",
          toolCalls: [{ id: "1", name: "p__a", arguments: { x: "y" } }],
        },
        { role: "tool", callId: "1", tool: "", content: "result", isError: false },
        { role: "user", content: "new" },
      ],
    });
  });

  it("names the directory and the process that holds it, and lets go when that one is killed", async () => {
    const child = await startWriter(directory, "x");
    const opening = open();
    await expect(opening).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await expect(opening).rejects.toThrow(
      `${directory} is in use by another OpenTalon process (pid ${child.pid})`,
    );
    await child.kill();
    await close(await open());
  });

  it.skipIf(process.getuid?.() === 0)("says so when it may not write", async () => {
    chmodSync(directory, 0o500);
    await expect(open()).rejects.toMatchObject({ code: "STORE_FAILED" });
    chmodSync(directory, 0o700);
  });

  it("says that the file cannot be made where a directory is in its place", async () => {
    writeFileSync(join(directory, "taken"), "");
    directory = join(directory, "taken", "below");
    await expect(open()).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  it("sums up usage since a time without reading all of it", async () => {
    await using _ = await open();
    using database = new DatabaseSync(file);
    const plans = ["created_at >= ''", "session_id = '' AND created_at >= ''"].map((condition) =>
      database
        .prepare(
          `EXPLAIN QUERY PLAN SELECT SUM(input_tokens) FROM profile_usage WHERE ${condition}`,
        )
        .get(),
    );
    expect(JSON.stringify(plans[0])).toContain("opentalon_usage_by_time");
    expect(JSON.stringify(plans[1])).toContain("opentalon_usage_by_session");
  });

  it("forgets what was said once it is answered", async () => {
    const words = "words nobody shall find ".repeat(20);
    const store = await open();
    const outcome = await store.inbox.accept(createMessage("a", { content: words }), "k");
    if (outcome.kind !== "accepted") throw new Error("not accepted");
    await store.journal.record(outcome.entry.id, "prepare", words);
    const delivery = await store.commitTurn({
      entry: outcome.entry,
      reply: createReply(words),
      session: { appended: [] },
      usage: [],
    });
    await store.outbox.markDelivered(delivery?.id ?? "");
    await close(store);
    expect(readFileSync(file).includes("words nobody shall find")).toBe(false);
  });

  it("has after kill -9 everything it acknowledged", async () => {
    const acknowledged = {
      accepted: new Set<string>(),
      recorded: new Map<string, string>(),
      committed: new Set<string>(),
    };
    for (const round of ["one", "two", "three"]) {
      const child = await startWriter(directory, round);
      await child.readLines(round === "one" ? 50 : 400, (line) => {
        const [kind, id = "", turn = ""] = line.split(" ");
        if (kind === "accepted") acknowledged.accepted.add(id);
        if (kind === "recorded") acknowledged.recorded.set(id, turn);
        if (kind === "committed") acknowledged.committed.add(id);
      });
      await child.kill();
    }
    await using store = await open();
    const entries = await store.inbox.takeOver();
    const unanswered = new Set(entries.map((entry) => entry.message.platformMessageId));
    const said = new Set<string>();
    for (let lane = 0; lane < 8; lane += 1) {
      const { messages } = await store.sessions.load(`console:${lane}`, 0);
      const contents = messages.map(({ content }) => content);
      expect(new Set(contents).size).toBe(contents.length);
      for (const content of contents) said.add(content);
    }
    const waiting = new Set((await store.outbox.waiting()).map(({ message }) => message.content));
    expect(waiting).toEqual(said);
    for (const id of acknowledged.committed)
      expect([id, said.has(id), unanswered.has(id)]).toEqual([id, true, false]);
    for (const id of acknowledged.accepted)
      expect([id, said.has(id) !== unanswered.has(id)]).toEqual([id, true]);
    for (const [id, turn] of acknowledged.recorded) {
      if (said.has(id)) continue;
      expect(await store.journal.load(turn)).toEqual([
        { step: "tool", state: "recorded", value: id },
      ]);
    }
    expect(acknowledged.committed.size).toBeGreaterThan(0);
  });
});

/** Starts `testing/write-until-killed.ts`; resolves once it has the store. */
async function startWriter(directory: string, prefix: string) {
  const script = join(import.meta.dirname, "testing", "write-until-killed.ts");
  const child = spawn(process.execPath, [script, directory, prefix], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await lines.next();
    if (line.done === true) throw new Error("the writer ended");
    return line.value;
  };
  await next();
  return {
    pid: child.pid,
    readLines: async (count: number, onLine: (line: string) => void) => {
      for (let index = 0; index < count; index += 1) onLine(await next());
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
