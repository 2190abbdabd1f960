import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createOAuthServer, oauthClientId } from "../testing/oauth-server.ts";
import type { OAuthServerOptions } from "../testing/oauth-server.ts";
import { createOAuthClient } from "./oauth-client.ts";
import { signInWithBrowser } from "./sign-in-browser.ts";
import { toStoredToken } from "./stored-token.ts";
import { createTokenFile } from "./token-file.ts";
import type { TokenFile } from "./token-file.ts";
import { createTokenSource } from "./token-source.ts";
import type { TokenSource } from "./token-source.ts";

const minuteMs = 60_000;
const { signal } = new AbortController();

async function setUp(options: OAuthServerOptions = {}) {
  const server = await createOAuthServer(options);
  onTestFinished(() => server[Symbol.asyncDispose]());
  const folder = await mkdtemp(join(tmpdir(), "opentalon-tokens-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const clock = createManualClock();
  const log = createSilentLog();
  const path = join(folder, "oauth-tokens.json");
  const oauth = {
    clientId: oauthClientId,
    tokenUrl: `${server.url}/token`,
    authorizationUrl: `${server.url}/authorize`,
    scopes: [],
    parameters: {},
  };
  const client = createOAuthClient({ name: "test", oauth, clock });
  const openFile = (): TokenFile => createTokenFile({ path, clock, log });
  /** A process of its own. */
  const start = (file = openFile(), address = "here"): TokenSource =>
    createTokenSource({ name: "test", address, client, file, clock, log });
  const signIn = async (): Promise<string> => {
    const grant = await signInWithBrowser({
      name: "test",
      client,
      clock,
      signal,
      announce: (notice) => void server.agree(notice.url),
    });
    await openFile().update("test", () => toStoredToken(grant, "here", clock.now()));
    return grant.accessToken.reveal();
  };
  const refreshes = (): number =>
    server.tokenRequests.filter((body) => body["grant_type"] === "refresh_token").length;
  return { server, clock, folder, openFile, start, signIn, refreshes };
}

const take = async (source: TokenSource): Promise<string> => (await source.take(signal)).reveal();

test("a token is refreshed five minutes before its end, and not before", async () => {
  const { clock, start, signIn, refreshes } = await setUp({ lifetimeSeconds: 3_600 });
  const first = await signIn();
  const source = start();
  clock.advance(55 * minuteMs - 1);
  expect(await take(source)).toBe(first);
  expect(refreshes()).toBe(0);
  clock.advance(1);
  const second = await take(source);
  expect(second).not.toBe(first);
  expect(await take(source)).toBe(second);
  expect(await take(start())).toBe(second);
  expect(refreshes()).toBe(1);
});

test("a short-lived token is refreshed at 80 % of its life, one without an end never", async () => {
  const short = await setUp({ lifetimeSeconds: 100 });
  const first = await short.signIn();
  const source = short.start();
  short.clock.advance(79_999);
  expect(await take(source)).toBe(first);
  short.clock.advance(1);
  expect(await take(source)).not.toBe(first);
  const endless = await setUp({ lifetimeSeconds: null });
  const only = await endless.signIn();
  endless.clock.advance(1_000 * 24 * 60 * minuteMs);
  expect(await take(endless.start())).toBe(only);
});

test("calls that come together share one refresh, which the end of one of them does not cancel", async () => {
  const { server, clock, start, signIn, refreshes } = await setUp();
  await signIn();
  const source = start();
  clock.advance(56 * minuteMs);
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  server.beforeRefresh(() => (asked.resolve(), answer.promise));
  const leaving = new AbortController();
  const left = source.take(leaving.signal);
  const others = [take(source), take(source)];
  await asked.promise;
  leaving.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  answer.resolve();
  const [one, other] = await Promise.all(others);
  expect(one).toBe(other);
  expect(refreshes()).toBe(1);
});

test("what another process refreshed is taken up instead of being refreshed again", async () => {
  const { clock, start, signIn, refreshes } = await setUp();
  await signIn();
  const [one, other] = [start(), start()];
  clock.advance(56 * minuteMs);
  one.state();
  other.state();
  const fresh = await take(one);
  expect(await take(other)).toBe(fresh);
  expect(refreshes()).toBe(1);
});

test("a sign-in made while a refresh is under way counts more than the refresh", async () => {
  const { server, clock, start, signIn, openFile } = await setUp();
  await signIn();
  const source = start();
  clock.advance(56 * minuteMs);
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  server.beforeRefresh(() => (asked.resolve(), answer.promise));
  const taken = take(source);
  await asked.promise;
  const latest = await signIn();
  answer.resolve();
  expect(await taken).toBe(latest);
  expect(openFile().read("test")?.accessToken.reveal()).toBe(latest);
});

test("a refresh that nobody answers leaves the token in use while it lasts", async () => {
  const { server, clock, start, signIn, refreshes } = await setUp();
  const first = await signIn();
  const source = start();
  server.failRefreshes("unavailable");
  clock.advance(56 * minuteMs);
  expect(await take(source)).toBe(first);
  expect(await take(source)).toBe(first);
  expect(refreshes()).toBe(1);
  clock.advance(4 * minuteMs);
  await expect(source.take(signal)).rejects.toMatchObject({ code: "AUTH_UNREACHABLE" });
  expect(source.state()).toMatchObject({ kind: "signed-in", isOver: true });
  server.failRefreshes(undefined);
  expect(await take(source)).not.toBe(first);
});

test("a refused refresh ends the sign-in, over a restart, until somebody signs in again", async () => {
  const { server, clock, start, signIn, refreshes } = await setUp();
  await signIn();
  const source = start();
  server.failRefreshes("invalid_grant");
  clock.advance(56 * minuteMs);
  await expect(source.take(signal)).rejects.toThrow("run `opentalon auth login test`");
  for (const each of [source, start()]) {
    expect(each.state()).toMatchObject({ kind: "sign-in-needed" });
    await expect(each.take(signal)).rejects.toMatchObject({ code: "AUTH_EXPIRED" });
  }
  expect(refreshes()).toBe(1);
  server.failRefreshes(undefined);
  const next = await signIn();
  clock.advance(1_000);
  expect(await take(source)).toBe(next);
});

test("a refused token is replaced once; without a refresh token the sign-in is over", async () => {
  const { start, signIn, refreshes } = await setUp();
  await signIn();
  const source = start();
  const refused = await source.take(signal);
  const [one, other] = await Promise.all([
    source.replace(refused, signal),
    source.replace(refused, signal),
  ]);
  expect(one?.reveal()).toBe(other?.reveal());
  expect(one?.reveal()).not.toBe(refused.reveal());
  expect((await source.replace(refused, signal))?.reveal()).toBe(one?.reveal());
  expect(refreshes()).toBe(1);
  const last = await setUp({ hasRefreshTokens: false });
  await last.signIn();
  const lastSource = last.start();
  expect(await lastSource.replace(await lastSource.take(signal), signal)).toBeUndefined();
  expect(lastSource.state()).toMatchObject({ kind: "sign-in-needed" });
});

test("a refreshed token that cannot be written down is used nevertheless", async () => {
  const { clock, folder, start, signIn, openFile, refreshes } = await setUp();
  const first = await signIn();
  const file = openFile();
  const source = start({
    ...file,
    update: () => Promise.reject(new Error("the disk is full")),
  });
  clock.advance(56 * minuteMs);
  const second = await take(source);
  expect(second).not.toBe(first);
  expect(await take(source)).toBe(second);
  clock.advance(56 * minuteMs);
  expect(await take(source)).not.toBe(second);
  expect(refreshes()).toBe(2);
  expect(folder).not.toBe("");
});

test("a refreshed token that could not be written down is written later, so that a restart finds it", async () => {
  const { clock, start, signIn, openFile } = await setUp();
  await signIn();
  const file = openFile();
  let isFull = true;
  const source = start({
    ...file,
    update: (...change) =>
      isFull ? Promise.reject(new Error("the disk is full")) : file.update(...change),
  });
  clock.advance(56 * minuteMs);
  const second = await take(source);
  isFull = false;
  await take(source);
  expect(openFile().readNow("test")?.accessToken.reveal()).not.toBe(second);
  clock.advance(minuteMs);
  expect(await take(source)).toBe(second);
  await vi.waitFor(() => expect(openFile().readNow("test")?.accessToken.reveal()).toBe(second));
  expect(await take(start())).toBe(second);
});

test("a token made for another address is not used", async () => {
  const { start, signIn, openFile } = await setUp();
  await signIn();
  const elsewhere = start(openFile(), "elsewhere");
  expect(elsewhere.state()).toMatchObject({ kind: "sign-in-needed" });
  await expect(elsewhere.take(signal)).rejects.toThrow(/settings changed/);
});
