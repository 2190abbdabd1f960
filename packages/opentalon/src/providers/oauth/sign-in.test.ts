import { expect, onTestFinished, test } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import type { AuthError } from "../../base/errors.ts";
import { createSecret } from "../../base/secret.ts";
import { createOAuthServer, oauthClientId } from "../testing/oauth-server.ts";
import type { OAuthServer, OAuthServerOptions } from "../testing/oauth-server.ts";
import { createOAuthClient } from "./oauth-client.ts";
import type { OAuthOptions } from "./oauth-options.ts";
import { signInWithBrowser } from "./sign-in-browser.ts";
import { signInWithDevice } from "./sign-in-device.ts";
import type { SignInNotice } from "./sign-in-notice.ts";

const { signal } = new AbortController();

async function setUp(options: OAuthServerOptions = {}, change: Partial<OAuthOptions> = {}) {
  const server = await createOAuthServer(options);
  onTestFinished(() => server[Symbol.asyncDispose]());
  const manual = createManualClock();
  const waits: number[] = [];
  const clock: Clock = {
    ...manual,
    sleep: async (delayMs) => {
      waits.push(delayMs);
      manual.advance(delayMs);
    },
  };
  const oauth: OAuthOptions = {
    authorizationUrl: `${server.url}/authorize`,
    tokenUrl: `${server.url}/token`,
    deviceUrl: `${server.url}/device`,
    clientId: oauthClientId,
    scopes: ["models", "offline_access"],
    parameters: { audience: "models" },
    ...change,
  };
  const client = createOAuthClient({ name: "test", oauth, clock });
  const notices: SignInNotice[] = [];
  const announce = (notice: SignInNotice): void => void notices.push(notice);
  return {
    server,
    manual,
    waits,
    notices,
    options: { name: "test", client, clock, announce, signal },
  };
}

const fail = (asked: Promise<unknown>): Promise<AuthError> =>
  asked.then(
    () => {
      throw new Error("it worked");
    },
    (error: unknown) => error as AuthError,
  );

test("the device flow shows the code and asks as often as the server wants", async () => {
  const { server, waits, notices, options } = await setUp({
    devicePolls: ["authorization_pending", "slow_down", "authorization_pending", "oops"],
    intervalSeconds: 2,
  });
  const grant = await signInWithDevice(options);
  expect(server.tokens()).toEqual([grant.accessToken.reveal(), grant.refreshToken?.reveal()]);
  expect(grant.lifetimeMs).toBe(3_600_000);
  expect(waits).toEqual([2_000, 2_000, 7_000, 7_000, 12_000]);
  expect(notices).toMatchObject([
    { kind: "device", code: "WDJB-MJHT", url: `${server.url}/activate`, lifetimeMs: 600_000 },
  ]);
});

test("the device flow ends when the code does, by the server's word or by time", async () => {
  const expired = await setUp({ devicePolls: ["expired_token"] });
  expect(await fail(signInWithDevice(expired.options))).toMatchObject({ code: "AUTH_EXPIRED" });
  const forgotten = await setUp({ devicePolls: Array(500).fill("authorization_pending") });
  expect((await fail(signInWithDevice(forgotten.options))).message).toMatch(
    /nobody entered the code/,
  );
  expect(forgotten.server.tokenRequests.length).toBe(119);
});

test("the device flow ends when the code does, however rarely the server wants to be asked", async () => {
  const { waits, options } = await setUp({
    devicePolls: Array(5).fill("authorization_pending"),
    intervalSeconds: 1e9,
  });
  expect(await fail(signInWithDevice(options))).toMatchObject({ code: "AUTH_EXPIRED" });
  expect(waits).toEqual([600_000]);
});

test("the browser flow proves itself with PKCE, and strangers at its door change nothing", async () => {
  const { server, options } = await setUp();
  const seen = Promise.withResolvers<string>();
  const done = signInWithBrowser({
    ...options,
    announce: (notice) => notice.kind === "browser" && seen.resolve(notice.url),
  });
  const url = new URL(await seen.promise);
  expect(Object.fromEntries(url.searchParams)).toMatchObject({
    scope: "models offline_access",
    audience: "models",
    code_challenge_method: "S256",
  });
  const door = new URL(url.searchParams.get("redirect_uri") ?? "");
  expect(door.hostname).toBe("127.0.0.1");
  const stranger = await fetch(`${door.href}?code=stolen&state=guessed`);
  expect(stranger.status).toBe(400);
  expect((await fetch(new URL("/", door))).status).toBe(404);
  expect((await server.agree(url.href)).status).toBe(200);
  const grant = await done;
  expect(server.tokens()).toContain(grant.accessToken.reveal());
  expect(server.tokenRequests).toHaveLength(1);
  expect(server.tokenRequests[0]?.["code_verifier"]).toMatch(/^[\w-]{43}$/);
  await expect(fetch(door)).rejects.toThrow("fetch failed");
});

test("the browser flow tells a person's refusal, and gives up after five minutes", async () => {
  const refused = await setUp();
  const notice = Promise.withResolvers<SignInNotice>();
  const done = fail(signInWithBrowser({ ...refused.options, announce: notice.resolve }));
  const { searchParams } = new URL((await notice.promise).url);
  const back = new URL(searchParams.get("redirect_uri") ?? "");
  back.search = `?error=access_denied&state=${searchParams.get("state") ?? ""}`;
  expect((await fetch(back)).status).toBe(400);
  expect(await done).toMatchObject({
    code: "AUTH_REFUSED",
    message: "provider test: the authorization server refused (access_denied)",
  });
  const forgotten = await setUp();
  const shown = Promise.withResolvers<SignInNotice>();
  const over = fail(signInWithBrowser({ ...forgotten.options, announce: shown.resolve }));
  await shown.promise;
  forgotten.manual.advance(300_000);
  expect(await over).toMatchObject({ code: "AUTH_EXPIRED" });
});

test("an issuer tells its addresses and which flow it offers", async () => {
  const server: OAuthServer = await createOAuthServer({ clientSecret: "secret-of-the-client" });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const { options } = await setUp(
    {},
    {
      issuer: server.url,
      tokenUrl: undefined,
      deviceUrl: undefined,
      authorizationUrl: undefined,
      clientSecret: createSecret("secret-of-the-client"),
    },
  );
  expect(await options.client.findFlow(signal)).toBe("device");
  const { accessToken } = await signInWithDevice(options);
  expect(server.tokens()).toContain(accessToken.reveal());
});

test("errors say what to do and hold neither tokens nor what the server echoes", async () => {
  const wrongClient = await setUp({}, { clientId: "somebody-else" });
  expect((await fail(signInWithDevice(wrongClient.options))).message).toContain("invalid_client");
  const away = await setUp();
  await away.server[Symbol.asyncDispose]();
  const unreachable = await fail(signInWithDevice(away.options));
  expect(unreachable.code).toBe("AUTH_UNREACHABLE");
  expect(unreachable.message).toContain("could not be reached");
  const inTheClear = await setUp({}, { deviceUrl: "http://login.example/device" });
  expect((await fail(signInWithDevice(inTheClear.options))).message).toContain("without https");
  expect(unreachable.cause).toBeUndefined();
});
