import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { createManualClock } from "../base/clock.ts";
import type { ManualClock } from "../base/clock.ts";
import { toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { type Config, parseConfig } from "../config/load-config.ts";
import { createRequest } from "../providers/model-adapter.contract.ts";
import { createMemoryKeyValue } from "../providers/testing/memory-key-value.ts";
import { createModelServer } from "../providers/testing/model-server.ts";
import type { RecordedRequest, ScriptedReply } from "../providers/testing/model-server.ts";
import { createOAuthServer } from "../providers/testing/oauth-server.ts";
import type { OAuthServerOptions } from "../providers/testing/oauth-server.ts";
import { anthropicMessages } from "../providers/testing/wire-format.ts";
import { assembleModels } from "./assemble-models.ts";
import { assembleSignIns } from "./assemble-sign-ins.ts";
import type { SignIns } from "./assemble-sign-ins.ts";

const key = "sk-beside-the-sign-in";
const minuteMs = 60_000;

interface Change {
  readonly server?: OAuthServerOptions;
  readonly provider?: Readonly<Record<string, unknown>>;
  readonly order?: readonly number[];
  readonly isAnthropic?: boolean;
}

async function setUp({ server: options, provider = {}, order, isAnthropic = false }: Change = {}) {
  const oauth = await createOAuthServer(options);
  onTestFinished(() => oauth[Symbol.asyncDispose]());
  const answer = (request: RecordedRequest): ScriptedReply => {
    const { authorization } = request.headers;
    const isWelcome = authorization === `Bearer ${key}` || oauth.isWelcome(authorization);
    return isWelcome ? { kind: "answer" } : { kind: "error", status: 401 };
  };
  const models = await createModelServer(answer, isAnthropic ? { wire: anthropicMessages } : {});
  onTestFinished(() => models[Symbol.asyncDispose]());
  const folder = await mkdtemp(join(tmpdir(), "opentalon-sign-ins-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const clock = createManualClock();
  const keyValue = createMemoryKeyValue();
  // As the log gets it, before anything is redacted.
  const lines: string[] = [];
  const log: Log = pino({ level: "debug" }, { write: (line: string) => void lines.push(line) });
  const written = {
    base_url: models.url,
    models: ["small"],
    retry: { max_attempts: 1 },
    oauth: oauth.config("browser"),
    ...provider,
  };
  const text = JSON.stringify({
    models: { providers: { p: written } },
    auth: { order: order === undefined ? {} : { p: order } },
    state: { data_dir: folder },
  });
  const { config } = parseConfig({ text, path: "config.yaml", environment: {} });
  const signIns = assembleSignIns({ config, clock, log });
  const signIn = (): Promise<void> =>
    signIns.signIn({
      provider: "p",
      flow: undefined,
      announce: (notice) => void oauth.agree(notice.url),
      signal: new AbortController().signal,
    });
  const start = () => startProgram(config, clock, log, keyValue);
  const sent = (): (string | undefined)[] =>
    models.requests.map(({ headers }) => headers.authorization?.slice("Bearer ".length));
  return { oauth, models, clock, lines, signIns, signIn, start, sent };
}

function startProgram(
  config: Config,
  clock: ManualClock,
  log: Log,
  keyValue: ReturnType<typeof createMemoryKeyValue>,
) {
  const models = assembleModels({ config, keyValue, clock, log });
  let sessions = 0;
  const ask = (sessionKey = `session ${(sessions += 1)}`): Promise<string> =>
    models
      .callModel({
        models: models.router.rank({ pinnedModel: "" }).models,
        request: { ...createRequest(), sessionKey },
        signal: new AbortController().signal,
        onText: () => undefined,
        onReset: () => undefined,
        onModel: () => undefined,
      })
      .then(({ text }) => text, toMessage);
  return { ask, stop: () => models[Symbol.asyncDispose]() };
}

const fingerprints = (signIns: SignIns): string[] => signIns.list().map(({ state }) => state);

test("a turn is answered with the token of a sign-in, which a running program notices", async () => {
  const { oauth, clock, signIn, signIns, start, sent } = await setUp();
  const program = start();
  expect(await program.ask()).toContain("nobody is signed in; run `opentalon auth login p`");
  expect(sent()).toEqual([]);
  await signIn();
  clock.advance(1_000);
  expect(await program.ask()).toContain("answer");
  expect(sent()).toEqual([oauth.tokens()[0]]);
  expect(await signIns.signOut("p")).toBe(true);
  expect(await signIns.signOut("p")).toBe(false);
  clock.advance(1_000);
  expect(await program.ask()).toContain("nobody is signed in");
  await program.stop();
});

test("OAuth comes before keys, auth.order before both, and a session keeps what it has", async () => {
  const { oauth, signIn, start, sent } = await setUp({ provider: { api_key: key } });
  const early = start();
  await early.ask("mine");
  await early.stop();
  await signIn();
  const program = start();
  await program.ask();
  await program.ask();
  const [token] = oauth.tokens();
  expect(sent()).toEqual([key, token, token]);
  await program.stop();
  const ordered = await setUp({ provider: { api_key: key }, order: [1, 0] });
  await ordered.signIn();
  const other = ordered.start();
  await other.ask();
  expect(ordered.sent()).toEqual([key]);
  expect(ordered.lines.join("")).not.toContain("do not exist");
  await other.stop();
});

test("a token that was called back is refreshed once, and the same attempt goes on", async () => {
  const { oauth, signIn, start, sent } = await setUp();
  await signIn();
  const program = start();
  await program.ask();
  oauth.revokeAccess();
  expect(await program.ask()).toContain("answer");
  const [first, , second] = oauth.tokens();
  expect(sent()).toEqual([first, first, second]);
  await program.stop();
});

test("a token that is refused again after its refresh rests, over a restart, until another sign-in", async () => {
  const { oauth, models, clock, signIn, start, sent } = await setUp();
  await signIn();
  const program = start();
  models.setScript({ kind: "error", status: 401 });
  await program.ask();
  expect(sent()).toEqual([oauth.tokens()[0], oauth.tokens()[2]]);
  expect(await program.ask()).toContain("every credential rests (unauthorized)");
  await program.stop();
  models.setScript({ kind: "answer" });
  const next = start();
  expect(await next.ask()).toContain("every credential rests (unauthorized)");
  expect(sent()).toHaveLength(2);
  await signIn();
  clock.advance(1_000);
  expect(await next.ask()).toContain("answer");
  await next.stop();
});

test("when a sign-in is over the next credential answers, and the log says what to run", async () => {
  const { oauth, clock, lines, signIn, start, sent } = await setUp({ provider: { api_key: key } });
  await signIn();
  const program = start();
  oauth.failRefreshes("invalid_grant");
  clock.advance(56 * minuteMs);
  expect(await program.ask()).toContain("answer");
  expect(await program.ask()).toContain("answer");
  expect(sent()).toEqual([key, key]);
  expect(oauth.tokenRequests).toHaveLength(2);
  expect(lines.join("")).toContain("the sign-in is over; run `opentalon auth login p`");
  await program.stop();
});

test("an authorization server that is away costs the token a rest, not the turn", async () => {
  const { oauth, clock, signIn, start, sent } = await setUp({ provider: { api_key: key } });
  await signIn();
  const program = start();
  oauth.failRefreshes("unavailable");
  clock.advance(61 * minuteMs);
  expect(await program.ask()).toContain("answer");
  expect(await program.ask()).toContain("answer");
  expect(oauth.tokenRequests).toHaveLength(2);
  oauth.failRefreshes(undefined);
  clock.advance(minuteMs);
  await program.ask();
  expect(sent()).toEqual([key, key, oauth.tokens().at(-2)]);
  await program.stop();
});

test("an authorization server that was away for long costs no longer rest than a short one", async () => {
  const { oauth, clock, signIn, start } = await setUp();
  await signIn();
  oauth.failRefreshes("unavailable");
  clock.advance(61 * minuteMs);
  const program = start();
  for (let time = 0; time < 5; time += 1) {
    expect(await program.ask()).toContain("No model answered");
    clock.advance(minuteMs);
  }
  oauth.failRefreshes(undefined);
  expect(await program.ask()).not.toContain("No model answered");
  await program.stop();
});

test("Anthropic gets a token as a bearer, not as its key", async () => {
  const change = { api: "anthropic-messages", api_key: "sk-ant-beside-the-sign-in" };
  const { oauth, models, signIn, start } = await setUp({ provider: change, isAnthropic: true });
  await signIn();
  const program = start();
  expect(await program.ask()).toContain("answer");
  const { headers } = models.requests[0] ?? {};
  expect(headers?.authorization).toBe(`Bearer ${oauth.tokens()[0]}`);
  expect(headers?.["x-api-key"]).toBeUndefined();
  await program.stop();
});

test("neither the list nor any line of the log holds a token, a key or a code", async () => {
  const { oauth, clock, lines, signIn, signIns, start } = await setUp({
    provider: { api_key: key },
    server: { lifetimeSeconds: 600 },
  });
  await signIn();
  const program = start();
  for (const failure of [undefined, "unavailable", "invalid_grant"] as const) {
    oauth.failRefreshes(failure);
    oauth.revokeAccess();
    await program.ask();
    clock.advance(9 * minuteMs);
    await program.ask();
  }
  await program.stop();
  const listed = signIns.list();
  expect(listed.map(({ position, kind }) => [position, kind])).toEqual([
    [0, "oauth"],
    [1, "key"],
  ]);
  expect(fingerprints(signIns)[0]).toContain("run `opentalon auth login p`");
  await signIn();
  expect(signIns.list()[0]).toMatchObject({
    state: "signed in, refreshed by itself",
    expiresAtMs: clock.now() + 600_000,
  });
  const told = lines.join("") + JSON.stringify([listed, signIns.list()]);
  expect(lines.length).toBeGreaterThan(5);
  const codes = oauth.tokenRequests.flatMap((body) => [body["code"], body["code_verifier"]]);
  for (const secret of [key, ...oauth.tokens(), ...codes]) {
    if (secret !== undefined) expect(told).not.toContain(secret);
  }
});

test("signing in to what is not there says what is", async () => {
  const { signIns } = await setUp();
  const signIn = (provider: string): Promise<void> =>
    signIns.signIn({
      provider,
      flow: "device",
      announce: () => undefined,
      signal: new AbortController().signal,
    });
  await expect(signIn("q")).rejects.toThrow('There is no provider "q"');
  await expect(signIn("p")).rejects.toThrow("names no device_url");
  await expect(signIns.signOut("q")).rejects.toThrow("Those that have one: p.");
});
