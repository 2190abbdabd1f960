import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import { AuthError } from "../../base/errors.ts";
import { createSecret } from "../../base/secret.ts";
import { createOAuthClient } from "./oauth-client.ts";
import type { Grant } from "./oauth-options.ts";

interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

const { signal } = new AbortController();
const secretToken = "refresh-that-must-stay-secret";

/** A refresh at a server that answers so, whatever it is asked. */
async function refreshAt(answer: Answer | "silence"): Promise<Grant> {
  const clock = createManualClock();
  const server = createServer((_request, response) => {
    if (answer === "silence") {
      clock.advance(30_000);
      return;
    }
    const { status = 200, type = "application/json", body, headers } = answer;
    response.writeHead(status, { "content-type": type, ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  const tokenUrl = `http://127.0.0.1:${port}/token`;
  const oauth = { clientId: "client", tokenUrl, scopes: [], parameters: {} };
  createSecret(secretToken);
  return createOAuthClient({ name: "test", oauth, clock }).refresh(secretToken, signal);
}

const failAt = async (answer: Answer | "silence"): Promise<AuthError> => {
  const error: unknown = await refreshAt(answer).catch((caught: unknown) => caught);
  if (!(error instanceof AuthError)) throw new Error("it did not fail as it should");
  expect(error.cause).toBeUndefined();
  expect(`${error.stack} ${JSON.stringify(error)}`).not.toMatch(/access-1|must-stay-secret/);
  return error;
};

const granted = { access_token: "access-1", token_type: "Bearer", expires_in: 60 };

it("does not send secrets to this machine because a server elsewhere says so", async () => {
  const metadata = {
    issuer: "https://login.example",
    token_endpoint: "http://127.0.0.1:9/token",
    device_authorization_endpoint: "http://127.0.0.1:9/device",
  };
  const fetchBefore = globalThis.fetch;
  const asked: string[] = [];
  globalThis.fetch = async (input) => {
    asked.push(input instanceof Request ? input.url : input.toString());
    return Response.json(metadata);
  };
  onTestFinished(() => void (globalThis.fetch = fetchBefore));
  const oauth = { clientId: "client", issuer: metadata.issuer, scopes: [], parameters: {} };
  const client = createOAuthClient({ name: "test", oauth, clock: createManualClock() });
  for (const attempt of [
    () => client.refresh(secretToken, signal),
    () => client.startDevice(signal),
  ]) {
    const error = await attempt().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "AUTH_UNREACHABLE" });
    expect(String(error)).toContain("without https");
  }
  expect(asked.filter((address) => address.includes("127.0.0.1"))).toEqual([]);
});

describe("an answer of the authorization server", () => {
  it("gives no life so long that it could not be written down", async () => {
    for (const seconds of [1e306, 1e300, 1e12]) {
      const { lifetimeMs } = await refreshAt({ body: { ...granted, expires_in: seconds } });
      expect(lifetimeMs).toBe(10 * 365 * 24 * 3_600_000);
    }
  });

  it("is taken in the forms that are seen", async () => {
    const grant = await refreshAt({ body: { ...granted, refresh_token: "refresh-1" } });
    expect(grant.lifetimeMs).toBe(60_000);
    expect([grant.accessToken, grant.refreshToken].map((each) => each?.reveal())).toEqual([
      "access-1",
      "refresh-1",
    ]);
    const loose = { access_token: "access-1", expires_in: "60", refresh_token: null, scope: null };
    expect(await refreshAt({ body: loose })).toMatchObject({
      lifetimeMs: 60_000,
      refreshToken: undefined,
    });
    const endless = { access_token: "access-1", expires_in: null, id_token: "junk" };
    expect((await refreshAt({ body: endless })).lifetimeMs).toBeUndefined();
  });

  it("is a refusal with status 200, too", async () => {
    const error = await failAt({ body: { error: "invalid_grant" } });
    expect(error.code).toBe("AUTH_EXPIRED");
  });

  it.each<[string, Answer, string]>([
    ["a token of another kind", { body: { ...granted, token_type: "DPoP" } }, "cannot be used"],
    [
      "a token with a line break",
      { body: { ...granted, access_token: "access-1\r\nx: y" } },
      "cannot be used",
    ],
    ["a token of another kind yet", { body: { ...granted, token_type: "mac" } }, "makes no sense"],
    ["no token", { body: { hello: "access-1" } }, "makes no sense"],
    ["no JSON", { body: "access-1", type: "text/html" }, "without JSON"],
    ["half of it", { body: '{"access_token":"access-1"' }, "makes no sense"],
    ["a list", { body: ["access-1"] }, "makes no sense"],
    ["too much", { body: `"${"x".repeat(300_000)}"` }, "more than any answer can hold"],
    ["a broken server", { status: 503, body: "access-1" }, "status 503"],
    [
      "another address",
      { status: 302, body: "", headers: { location: "http://127.0.0.1:1/" } },
      "status 302",
    ],
  ])("with %s is none", async (_name, answer, words) => {
    const error = await failAt(answer);
    expect(error.code).toBe("AUTH_UNREACHABLE");
    expect(error.message).toContain(words);
  });

  it("does not get our tokens into an error by repeating them", async () => {
    const description = `token ${secretToken} is bad\u001b[2J`;
    const body = { error: "invalid_scope", error_description: description };
    const error = await failAt({ status: 400, body });
    expect(error.code).toBe("AUTH_REFUSED");
    expect(error.message).toContain("invalid_scope: token [secret] is bad");
    expect(error.message).not.toContain("\u001b");
    const challenge = { "www-authenticate": 'Basic realm="x"' };
    const unknown = await failAt({ status: 401, body: {}, headers: challenge });
    expect(unknown.message).toContain("invalid_client");
  });

  it("is waited for half a minute", async () => {
    expect((await failAt("silence")).message).toContain("did not answer within 30 s");
  });
});
