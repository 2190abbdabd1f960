import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import { ConfigError, ProviderError } from "../../base/errors.ts";
import type { Secret } from "../../base/secret.ts";
import type { ModelReply } from "../../domain/model.ts";
import { createServiceAccountCredential } from "../credentials/cloud-credentials.ts";
import { createModel, createRequest } from "../model-adapter.contract.ts";
import type { ModelAdapterCall } from "../model-adapter.ts";
import { createModelServer } from "../testing/model-server.ts";
import type { ModelServer } from "../testing/model-server.ts";
import { googleGenerativeAi } from "../testing/wire-format.ts";
import { createVertexAdapter } from "./vertex-adapter.ts";

let privateKey = "";
beforeAll(() => {
  const pair = generateKeyPairSync("rsa", {
    modulusLength: 2_048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  ({ privateKey } = pair);
});

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

interface TokenAnswer {
  readonly status: number;
  readonly body: unknown;
}

interface Setup {
  readonly server: ModelServer;
  readonly clock: ReturnType<typeof createManualClock>;
  /** The forms that were posted for a token. */
  readonly asked: readonly URLSearchParams[];
  readonly setAnswer: (answer: TokenAnswer) => void;
  readonly toCredential: (change?: Readonly<Record<string, string>>) => Secret;
  readonly ask: (change?: Partial<ModelAdapterCall>) => Promise<ModelReply>;
}

async function setUp(): Promise<Setup> {
  const asked: URLSearchParams[] = [];
  let answer: TokenAnswer = { status: 200, body: {} };
  const tokens = createServer((request, response) => {
    let form = "";
    request.on("data", (part: Buffer) => (form += part.toString()));
    request.once("end", () => {
      asked.push(new URLSearchParams(form));
      const usual = { access_token: `token-number-${asked.length}`, expires_in: 3_600 };
      const body = answer.status === 200 ? { ...usual, ...(answer.body as object) } : answer.body;
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => tokens.listen(0, "127.0.0.1", resolve));
  resources.defer(() => {
    tokens.closeAllConnections();
    tokens.close();
  });
  const { port } = tokens.address() as AddressInfo;
  const server = resources.use(
    await createModelServer({ kind: "answer" }, { wire: googleGenerativeAi }),
  );
  const clock = createManualClock();
  const adapter = resources.use(createVertexAdapter({ baseUrl: server.url, clock }));
  const toCredential: Setup["toCredential"] = (change = {}) => {
    const account = {
      type: "service_account",
      project_id: "my-project",
      client_email: "bot@my-project.iam.example",
      private_key: privateKey,
      private_key_id: "key-1",
      token_uri: `http://127.0.0.1:${port}/token`,
      ...change,
    };
    const credential = createServiceAccountCredential(JSON.stringify(account, null, 2));
    if (credential === undefined) throw new Error("the file is a service account's");
    return credential;
  };
  const ask: Setup["ask"] = (change = {}) =>
    adapter.stream({
      model: createModel({ id: "gemini-2.5-flash" }),
      request: createRequest(),
      credential: toCredential(),
      signal: new AbortController().signal,
      onText: () => undefined,
      ...change,
    });
  const setAnswer = (next: TokenAnswer): void => void (answer = next);
  return { server, clock, asked, setAnswer, toCredential, ask };
}

async function failure(outcome: Promise<unknown>): Promise<ProviderError> {
  const error: unknown = await outcome.catch((error: unknown) => error);
  if (!(error instanceof ProviderError)) throw new Error(`no ProviderError: ${inspect(error)}`);
  return error;
}

describe("the adapter for Vertex AI, with a service account", () => {
  it("asks for a token with a signed claim, and sends the token only", async () => {
    const { server, asked, ask, clock } = await setUp();
    expect((await ask()).text).toContain("how are you today");
    expect(server.requests[0]?.headers.authorization).toBe("Bearer token-number-1");
    expect(server.requests[0]?.headers).not.toHaveProperty("x-goog-api-key");
    const [header, claims] = (asked[0]?.get("assertion") ?? "")
      .split(".")
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()) as unknown);
    expect(header).toEqual({ alg: "RS256", typ: "JWT", kid: "key-1" });
    const issuedAt = Math.floor(clock.now() / 1_000);
    expect(claims).toMatchObject({
      iss: "bot@my-project.iam.example",
      iat: issuedAt,
      exp: issuedAt + 3_600,
    });
  });

  it("asks once for calls side by side, and again shortly before the token expires", async () => {
    const { server, asked, ask, clock } = await setUp();
    await Promise.all([ask(), ask(), ask()]);
    await ask();
    expect(asked).toHaveLength(1);
    clock.advance(56 * 60_000);
    await ask();
    expect(asked).toHaveLength(2);
    expect(server.requests.at(-1)?.headers.authorization).toBe("Bearer token-number-2");
  });

  it("says why it got no token, without the key", async () => {
    const { server, setAnswer, ask, toCredential } = await setUp();
    setAnswer({
      status: 400,
      body: { error: "invalid_grant", error_description: "Invalid JWT Signature." },
    });
    const refused = await failure(ask());
    // With this status it rests and is tried again: the clock here may have been wrong.
    expect(refused).toMatchObject({ reason: "unauthorized", status: 403 });
    expect(refused.message).toContain("Invalid JWT Signature.");
    setAnswer({ status: 503, body: {} });
    expect(await failure(ask())).toMatchObject({ reason: "overloaded" });
    const broken = await failure(
      ask({ credential: toCredential({ private_key: "no key at all" }) }),
    );
    expect(broken).toMatchObject({ reason: "unauthorized" });
    expect(inspect(broken, { depth: 9 })).not.toContain("no key at all");
    const away = toCredential({ token_uri: "http://127.0.0.1:1/token" });
    expect(await failure(ask({ credential: away }))).toMatchObject({ reason: "unreachable" });
    expect(server.requests).toHaveLength(0);
  });

  it("asks for another token when one is refused, or the clock was set back", async () => {
    const { server, asked, ask, clock } = await setUp();
    await ask();
    server.setScript({ kind: "error", status: 401, body: { error: { message: "expired" } } });
    // The account itself may be all right: it rests and is tried again.
    expect(await failure(ask())).toMatchObject({ reason: "unauthorized", status: 403 });
    server.setScript({ kind: "answer" });
    await ask();
    expect(asked).toHaveLength(2);
    clock.advance(-60_000);
    await ask();
    expect(asked).toHaveLength(3);
  });

  it("does not wait for a token for ever, nor after a call was cancelled", async () => {
    const { ask, toCredential, clock } = await setUp();
    const silent = createServer(() => undefined);
    let connected = 0;
    silent.on("connection", () => (connected += 1));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    resources.defer(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const { port } = silent.address() as AddressInfo;
    const tokenUri = { token_uri: `http://127.0.0.1:${port}/token` };
    const failed = failure(ask({ credential: toCredential(tokenUri) }));
    await vi.waitFor(() => expect(connected).toBe(1));
    const other = toCredential({ ...tokenUri, private_key_id: "key-2" });
    const abort = new AbortController();
    const cancelled = failure(ask({ credential: other, signal: abort.signal }));
    await vi.waitFor(() => expect(connected).toBe(2));
    abort.abort();
    expect((await cancelled).reason).toBe("cancelled");
    clock.advance(15_000);
    expect((await failed).reason).toBe("timed-out");
  });
});

it("refuses a project or location that is none", () => {
  const create = (project: string, location: string): unknown =>
    createVertexAdapter({ cloud: { region: "", project, location }, clock: createManualClock() });
  expect(() => create("my-project", "evil.example/")).toThrow(ConfigError);
  expect(() => create("../x", "global")).toThrow(ConfigError);
  expect(() => create("my-project", "")).not.toThrow();
  expect(() => create("", "")).not.toThrow();
});
