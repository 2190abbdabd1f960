import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { HttpAnswer } from "../base/http-route.ts";
import { readBody, toHttpRequest } from "../base/testing/http-request.ts";
import { present } from "../plugins/testing/present.ts";
import { startFakeHost } from "../plugins/testing/start-fake-host.ts";
import { toPluginRoutes } from "./plugin-control.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Asks the routes of a host as the control socket does. */
async function start(fakes: Parameters<typeof startFakeHost>[0]) {
  const { host } = await startFakeHost(fakes, { folder });
  const routes = toPluginRoutes(host);
  const ask = (
    method: string,
    path: string,
    key = "",
    query: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer> => {
    const request = toHttpRequest({
      method,
      path,
      parameters: { key },
      query: (name) => query[name],
    });
    return present(routes.find((route) => route.method === method && route.path === path)).handle(
      request,
    );
  };
  return { host, ask };
}

const toValue = async (answer: HttpAnswer): Promise<unknown> => JSON.parse(await readBody(answer));

test("plugins are listed with their state", async () => {
  const { host, ask } = await start({
    good: { actions: ["a", "b"] },
    bad: { name: "x", start: "crash" },
  });
  const answer = await ask("GET", "/plugins");
  expect(await toValue(answer)).toEqual({
    plugins: [
      {
        key: "good",
        name: "fake",
        state: "ready",
        problem: "",
        restarts: 0,
        since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
        pid: host.statuses()[0]?.pid,
        actions: 2,
        version: null,
      },
      expect.objectContaining({
        key: "bad",
        state: "failed",
        pid: null,
        problem: expect.stringContaining("exit code 3") as string,
      }),
    ],
  });
});

test("a restart answers with its outcome", async () => {
  const overrides = join(folder, "overrides");
  writeFileSync(overrides, "{}");
  const { host, ask } = await start({ fake: { overrides } });
  const { pid } = present(host.statuses()[0]);
  const restart = (key: string): Promise<HttpAnswer> => ask("POST", "/plugins/:key/restart", key);
  const answer = await restart("fake");
  expect(answer.status).toBe(200);
  expect(await toValue(answer)).toMatchObject({ plugin: { state: "ready", restarts: 1 } });
  expect(host.statuses()[0]?.pid).not.toBe(pid);
  writeFileSync(overrides, '{"init":"refuse"}');
  const refused = await restart("fake");
  expect(refused.status).toBe(409);
  expect(await toValue(refused)).toMatchObject({
    error: expect.stringContaining("the key is missing") as string,
    kept_running: true,
    plugin: { state: "ready", restarts: 1 },
  });
  const unknown = await restart("nobody");
  expect(unknown.status).toBe(404);
  expect(await toValue(unknown)).toEqual({ error: 'no plugin "nobody" runs here; there are fake' });
});

test("logs are lines of JSON, the newest so many, and may be followed", async () => {
  const { host, ask } = await start({ fake: { errorLines: ["one", "two", "three"] } });
  const recent = present(host.recentLines("fake"));
  await expect.poll(() => recent.last(500).filter(({ from }) => from === "plugin").length).toBe(3);
  const logs = (query = {}): Promise<HttpAnswer> => ask("GET", "/plugins/:key/logs", "fake", query);
  const all = await readBody(await logs());
  const lines = all
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { from: string; text: string });
  expect(lines.filter(({ from }) => from === "plugin").map(({ text }) => text)).toEqual([
    "one",
    "two",
    "three",
  ]);
  expect((await readBody(await logs({ lines: "1" }))).trim().split("\n")).toHaveLength(1);
  expect((await logs({ lines: "0" })).body).toBe("");
  expect(await readBody(await logs({ lines: "nonsense" }))).toBe(all);
  expect((await ask("GET", "/plugins/:key/logs", "nobody")).status).toBe(404);

  const { body } = await logs({ follow: "1", lines: "1" });
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const read = async (): Promise<string> =>
    Buffer.from((await reader.read()).value ?? []).toString();
  expect(await read()).toContain('"text"');
  void host.reload("fake");
  expect(await read()).toContain("started anew");
  await reader.cancel();
});
