import { createHmac } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { createSilentLog } from "../../base/create-log.ts";
import { defineChannel, type DefinedChannel, type PostedCall } from "./testing/define-channel.ts";
import { startTeamsStub, teamsApp, type TeamsStub } from "./testing/teams-stub.ts";
import type { YamlChannelOptions } from "./yaml-channel.ts";

const opened: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]();
});

async function open(
  webhook: string,
  more: Partial<YamlChannelOptions> = {},
): Promise<DefinedChannel> {
  const defined = defineChannel(
    `
id: stub
inbound:
  http_webhook: ${webhook}
  mapping: {conversation_id: chat, sender_id: from, content: text}
`,
    more,
  );
  opened.push(defined);
  await defined.channel.start(defined.host);
  return defined;
}

const event = { chat: "c", from: "u", text: "hello" };
const body = JSON.stringify(event);
const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest();

describe("a webhook of a definition", () => {
  it("takes only what it is made for, and says so", async () => {
    const { host, post } = await open("{response_code: 201}");
    expect((await post(event)).status).toBe(201);
    expect((await post(event, { method: "PUT" })).status).toBe(405);
    expect((await post(event, { method: "GET" })).status).toBe(405);
    expect((await post("nonsense")).status).toBe(400);
    expect((await post(`{"text":"${"x".repeat(1_048_576)}"}`)).status).toBe(413);
    expect(host.contents()).toEqual(["hello"]);
  });

  it("asks to come again while nothing is taken in", async () => {
    const { channel, host, post } = await open("{}");
    await channel.stopIntake();
    expect((await post(event)).status).toBe(503);
    expect(host.messages).toEqual([]);
  });

  it("without any check takes only whom the door knows, and needs a door that knows callers", async () => {
    const { post } = await open("{}");
    expect((await post(event, { isTrusted: false })).status).toBe(401);
    await expect(open("{}", { doorChecksCallers: false })).rejects.toThrow(
      /open to other machines/,
    );
  });

  it("stands at the path and port its settings say", async () => {
    const config = { path: "/hooks/a", port: 4_000 };
    const { channel } = await open("{path: '{{config.path}}', port: '{{config.port}}'}", {
      config,
    });
    expect(channel.routes).toMatchObject([{ path: "/hooks/a", port: 4_000 }]);
    const { channel: other } = await open("{}");
    expect(other.routes).toMatchObject([{ path: "/api/messages", port: undefined }]);
    await expect(open("{path: 'no/slash'}")).rejects.toThrow(/must begin with \//);
    await expect(open("{path: '/:all/*'}")).rejects.toThrow(/must begin with \//);
    await expect(open("{port: '{{config.port}}'}", { config: { port: 70_000 } })).rejects.toThrow(
      /is no port/,
    );
  });

  it("checks a secret in a header", async () => {
    const config = { config: { secret: "s3cret" } };
    const { post } = await open(
      "{secret_header: X-Token, secret_value: '{{config.secret}}'}",
      config,
    );
    const of = async (token: string): Promise<number> =>
      (await post(event, { headers: { "x-token": token } })).status;
    expect([await of("s3cret"), await of("s3cre"), await of("")]).toEqual([200, 401, 401]);
    expect((await post(event)).status).toBe(401);
  });

  it("lets nobody in when the secret is empty, and warns of it", async () => {
    const warned: unknown[] = [];
    const log = { ...createSilentLog(), warn: (...words: unknown[]) => void warned.push(...words) };
    const { post } = await open("{secret_header: X-Token, secret_value: '{{config.none}}'}", {
      log,
    });
    expect(warned).toEqual([
      "http_webhook.secret_value is empty ({{config.none}}): nobody is let in",
    ]);
    expect((await post(event, { headers: { "x-token": "" } })).status).toBe(401);
    const { post: signed } = await open(
      "{signature_scheme: github, signature_secret: '{{config.none}}'}",
    );
    const signature = hmac("", body).toString("hex");
    expect(
      (await signed(body, { headers: { "x-hub-signature-256": `sha256=${signature}` } })).status,
    ).toBe(401);
  });

  it("checks signatures of GitHub's kind", async () => {
    const { post } = await open("{signature_scheme: github, signature_secret: key}");
    const signature = `sha256=${hmac("key", body).toString("hex")}`;
    const of = async (text: string, given: string): Promise<number> =>
      (await post(text, { headers: { "x-hub-signature-256": given } })).status;
    expect([
      await of(body, signature),
      await of(`${body} `, signature),
      await of(body, "sha256=00"),
    ]).toEqual([200, 401, 401]);
  });

  it("checks standard webhooks, and takes none that is old", async () => {
    const { clock, post } = await open(
      "{signature_scheme: standard_webhooks, signature_secret: whsec_c2VjcmV0}",
    );
    const call = (offsetSeconds: number, id = "msg_1"): Partial<PostedCall> => {
      const timestamp = String(Math.floor(clock.now() / 1_000) + offsetSeconds);
      const signature = hmac(Buffer.from("secret"), `${id}.${timestamp}.${body}`).toString(
        "base64",
      );
      const headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": timestamp,
        "webhook-signature": `v1,AAAA v1,${signature}`,
      };
      return { headers };
    };
    expect((await post(body, call(0))).status).toBe(200);
    expect((await post(body, call(-299))).status).toBe(200);
    expect((await post(body, call(-301))).status).toBe(401);
    expect((await post(body, call(301))).status).toBe(401);
    expect((await post(body, call(0, "msg_2"))).status).toBe(401);
  });

  it("checks Slack's signatures, and answers its question only then", async () => {
    const { clock, host, post } = await open(
      "{signature_scheme: slack, signature_secret: key, verify: {field: type, equals: url_verification, challenge_field: challenge}}",
    );
    const call = (text: string, offsetSeconds = 0, key = "key"): Partial<PostedCall> => {
      const timestamp = String(Math.floor(clock.now() / 1_000) + offsetSeconds);
      const signature = hmac(key, `v0:${timestamp}:${text}`).toString("hex");
      return {
        headers: { "x-slack-request-timestamp": timestamp, "x-slack-signature": `v0=${signature}` },
      };
    };
    const question = JSON.stringify({ type: "url_verification", challenge: "c0de" });
    expect(await post(question, call(question))).toEqual({ status: 200, body: "c0de" });
    expect((await post(question, call(question, 0, "other"))).status).toBe(401);
    expect((await post(body, call(body, -400))).status).toBe(401);
    expect((await post(body, call(body))).status).toBe(200);
    expect(host.contents()).toEqual(["hello"]);
  });

  it("reads clicks that come as a form", async () => {
    const { host, post } = await open("{}");
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    await post(`payload=${encodeURIComponent(body)}`, { headers });
    expect(host.contents()).toEqual(["hello"]);
  });

  it("answers the question of a platform that asks by GET", async () => {
    const { post } = await open(
      "{verify: {token_query: token, token_value: t0ken, challenge_query: challenge}}",
    );
    const ask = (token: string): ReturnType<typeof post> =>
      post("", { method: "GET", query: { token, challenge: "<b>1</b>" } });
    expect(await ask("t0ken")).toEqual({ status: 200, body: "<b>1</b>" });
    expect((await ask("wrong")).status).toBe(403);
  });

  it("needs every check it names to pass", async () => {
    const { post } = await open(
      "{secret_header: X-Token, secret_value: a, signature_scheme: github, signature_secret: key}",
    );
    const signature = `sha256=${hmac("key", body).toString("hex")}`;
    const both = { "x-token": "a", "x-hub-signature-256": signature };
    expect((await post(body, { headers: both })).status).toBe(200);
    expect((await post(body, { headers: { "x-token": "a" } })).status).toBe(401);
    expect((await post(body, { headers: { "x-hub-signature-256": signature } })).status).toBe(401);
  });
});

describe("a webhook that takes signed tokens", () => {
  let teams: TeamsStub;

  async function openSigned(): Promise<DefinedChannel> {
    teams = await startTeamsStub();
    opened.push(teams);
    const config = { audience: teamsApp.config.app_id, oidc: `${teams.server.url}/oidc` };
    const webhook =
      "{validate_jwt: true, oidc_endpoint: '{{config.oidc}}', audience: '{{config.audience}}'}";
    const defined = await open(webhook, { config, log: createSilentLog() });
    // Tokens are made by the clock of the machine.
    defined.clock.advance(Date.now() - defined.clock.now());
    return defined;
  }

  const post = async (
    { post: send }: DefinedChannel,
    token: string,
    document: unknown = event,
  ): Promise<number> =>
    (await send(document, { headers: { authorization: `Bearer ${token}` } })).status;

  it("lets in who proves to be meant and current", async () => {
    const defined = await openSigned();
    const seconds = Math.floor(Date.now() / 1_000);
    const claims = {
      aud: "other",
      iss: "https://evil.example",
      exp: seconds - 3_600,
      nbf: seconds + 3_600,
    };
    expect(await post(defined, teams.createToken())).toBe(200);
    expect(await post(defined, teams.createToken({ aud: ["other", teamsApp.config.app_id] }))).toBe(
      200,
    );
    for (const [name, value] of Object.entries(claims)) {
      expect([name, await post(defined, teams.createToken({ [name]: value }))]).toEqual([
        name,
        401,
      ]);
    }
    expect(await post(defined, teams.createToken({ exp: undefined }))).toBe(401);
    expect(await post(defined, "nonsense")).toBe(401);
    expect((await defined.post(event)).status).toBe(401);
  });

  it("takes no signature of another kind, and none that was tampered with", async () => {
    const defined = await openSigned();
    const [head = "", payload = "", signature = ""] = teams.createToken().split(".");
    const none = Buffer.from(JSON.stringify({ alg: "none", kid: "key-1" })).toString("base64url");
    const hs = Buffer.from(JSON.stringify({ alg: "HS256", kid: "key-1" })).toString("base64url");
    expect(await post(defined, `${none}.${payload}.${signature}`)).toBe(401);
    expect(await post(defined, `${hs}.${payload}.${signature}`)).toBe(401);
    expect(await post(defined, `${head}.${payload.slice(0, -4)}AAAA.${signature}`)).toBe(401);
    expect(await post(defined, `${head}.${payload}.${signature.slice(0, -4)}AAAA`)).toBe(401);
  });

  it("asks for keys once, again for a new one, and not for every made-up one", async () => {
    const defined = await openSigned();
    const asked = (): number => teams.server.requests.filter(({ path }) => path === "/keys").length;
    await Promise.all(Array.from({ length: 5 }, () => post(defined, teams.createToken())));
    expect(asked()).toBe(1);
    for (let round = 0; round < 5; round += 1)
      await post(defined, teams.createToken({}, { kid: `made-up-${round}` }));
    expect(asked()).toBe(1);
    defined.clock.advance(6 * 60_000);
    teams.changeKey("key-2");
    expect(await post(defined, teams.createToken())).toBe(200);
    expect(asked()).toBe(2);
  });

  it("sends callers away for a while when the keys cannot be had", async () => {
    const defined = await openSigned();
    teams.server.intercept(() => ({ status: 500 }));
    expect(await post(defined, teams.createToken())).toBe(503);
    teams.server.intercept(undefined);
    expect(await post(defined, teams.createToken())).toBe(200);
  });

  it("takes no other address for answers than the token names", async () => {
    const defined = await openSigned();
    const to = (serviceUrl: string): unknown => ({ ...event, serviceUrl });
    expect(await post(defined, teams.createToken(), to(teams.serviceUrl))).toBe(200);
    expect(await post(defined, teams.createToken(), to("https://evil.example/"))).toBe(401);
  });
});
