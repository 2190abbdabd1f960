import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { createSecret } from "../base/secret.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import { findRemoteRisk, readRemoteAccess } from "./remote-access.ts";
import type { FakePluginOptions } from "./testing/fake-plugin-options.ts";
import { type LaunchedFake, launchFake, readJournal } from "./testing/launch-fake.ts";
import { present } from "./testing/present.ts";
import { startFakeHost, toExecution } from "./testing/start-fake-host.ts";

const certificates = join(import.meta.dirname, "testing", "certificates");
const file = (name: string): string => join(certificates, name);
const serverTls = { cert: file("server.pem"), key: file("server.key.pem") };
const trusting = { ca: file("authority.pem"), serverName: "plugin.test" };
const token = createSecret("remote-plugin-token-1");

let folder: string;
let journal: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
  journal = join(folder, "journal");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A plugin that listens for others, ended after the test. */
async function serve(options: FakePluginOptions = {}): Promise<LaunchedFake> {
  const served = await launchFake({ network: "tcp", journal, noteQuestions: true, ...options });
  onTestFinished(served.stop);
  return served;
}

/** A host of one plugin that runs at the address. */
async function connect(scheme: string, served: LaunchedFake, entry: Partial<PluginEntry> = {}) {
  const command = `${scheme}://${served.handshake.address}`;
  const started = await startFakeHost({ far: { command, ...entry } }, { folder });
  return { ...started, status: present(started.host.statuses()[0]) };
}

test("a plugin elsewhere is reached with TLS, and gets the token with every call", async () => {
  const served = await serve({ tls: serverTls });
  const { host, status, log } = await connect("grpcs", served, { tls: trusting, token });
  expect(status).toMatchObject({ state: "ready", problem: "" });
  expect(status.pid).toBeUndefined();
  const text = "x".repeat(8 * 2 ** 20);
  const answer = await host.execute("fake", toExecution("echo", { arguments: { text } }));
  expect(answer.content.length).toBeGreaterThan(text.length);
  const asked = (await readJournal(journal)).filter(({ event }) => event === "asked");
  expect(asked.map(({ method }) => method)).toEqual(["Init", "Capabilities", "Execute"]);
  expect(asked.every(({ authorization }) => authorization === "Bearer remote-plugin-token-1")).toBe(
    true,
  );
  expect(log()).not.toContain("remote-plugin-token-1");
});

test("nobody without our authority's signature is believed, nor one with another name", async () => {
  const served = await serve({ tls: serverTls });
  for (const tls of [
    {},
    { ca: file("authority.pem"), serverName: "other.test" },
    { ca: file("authority.pem") },
  ]) {
    const { status } = await connect("grpcs", served, { tls, token });
    expect(status.state).toBe("failed");
    expect(status.problem).toMatch(/certificate|altnames/i);
  }
  expect((await readJournal(journal)).filter(({ event }) => event === "asked")).toEqual([]);
});

test("a plugin that wants to know its callers is shown our certificate", async () => {
  const served = await serve({ tls: { ...serverTls, ca: file("authority.pem") } });
  const stranger = await connect("grpcs", served, { tls: trusting });
  expect(stranger.status.state).toBe("failed");
  const own = { cert: file("client.pem"), key: file("client.key.pem") };
  const known = await connect("grpcs", served, { tls: { ...trusting, ...own } });
  expect(known.status).toMatchObject({ state: "ready", problem: "" });
});

test("a token goes to a plugin without TLS too, and plaintext meant for TLS fails", async () => {
  const served = await serve();
  const { host, status, log } = await connect("grpc", served, { token });
  expect(status.state).toBe("ready");
  expect(log()).not.toContain("not reached as it should be");
  const asked = (await readJournal(journal)).filter(({ event }) => event === "asked");
  expect(asked.map(({ authorization }) => authorization)).toEqual(
    asked.map(() => "Bearer remote-plugin-token-1"),
  );
  await host[Symbol.asyncDispose]();
  const encrypted = await connect("grpcs", served, { tls: trusting, dialTimeoutMs: 2_000 });
  expect(encrypted.status.state).toBe("failed");
});

const entry = (changes: Partial<PluginEntry>): PluginEntry => ({
  key: "p",
  command: "x",
  ...changes,
});

test.each([
  [{ command: "grpc://10.0.0.1:50", token }, "its token crosses the network unencrypted"],
  [{ command: ["grpc://plugins.internal:50"], token }, "its token crosses the network unencrypted"],
  [{ command: "grpc://127.0.0.1:50", token }, ""],
  [{ command: "grpc://localhost:50", token }, ""],
  [{ command: "grpcs://10.0.0.1:50", token }, ""],
  [{ command: "grpc://10.0.0.1:50", tls: { ca: "/x" } }, "only grpcs:// is encrypted"],
  [{ command: "grpc://10.0.0.1:50", tls: { ca: "" } }, ""],
  [{ command: "./program", token }, "have no effect"],
  [{ command: "./program" }, ""],
  [{ command: "grpc://nonsense", token }, ""],
] satisfies [Partial<PluginEntry>, string][])("%j: the operator is told %j", (changes, told) => {
  const risk = findRemoteRisk(entry(changes));
  if (told === "") expect(risk).toBe("");
  else expect(risk).toContain(told);
});

test.each([
  [{ tls: { ca: "/nowhere/ca.pem" } }, "the file of tls.ca cannot be read"],
  [{ tls: { cert: file("client.pem") } }, "tls.cert and tls.key belong together"],
  [{ token: createSecret("two words\n") }, "its token holds characters that cannot be sent"],
] satisfies [Partial<PluginEntry>, string][])(
  "settings that cannot work are refused: %j",
  async (changes, problem) => {
    const access = readRemoteAccess(entry({ command: "grpcs://h.test:1", ...changes }));
    await expect(access).rejects.toThrow(problem);
    await expect(access).rejects.not.toThrow("two words");
  },
);

test("pings are rare where no health check speaks in between", async () => {
  const access = async (healthCheckIntervalMs?: number) =>
    (await readRemoteAccess(entry({ command: "grpc://h.test:1", healthCheckIntervalMs })))
      ?.keepAliveMs;
  expect(await access(30_000)).toBe(30_000);
  expect(await access()).toBeGreaterThan(300_000);
  expect(await access(600_000)).toBeGreaterThan(300_000);
});
