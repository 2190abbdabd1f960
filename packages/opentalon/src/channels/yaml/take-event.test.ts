import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { defineChannel, type DefinedChannel } from "./testing/define-channel.ts";
import { startStubServer, type StubServer } from "./testing/stub-server.ts";
import type { YamlChannelOptions } from "./yaml-channel.ts";

let server: StubServer;
const opened: DefinedChannel[] = [];

beforeEach(async () => {
  server = await startStubServer({ handle: () => ({ json: { ok: true, user: { name: "Ada" } } }) });
});

afterEach(async () => {
  for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function open(
  inbound: string,
  more: Partial<YamlChannelOptions> = {},
  rest = "",
  source = "http_webhook: {}",
): Promise<DefinedChannel> {
  const yaml = `
id: stub
config_defaults: {api: "${server.url}"}
inbound:
  ${source}
  mapping: {conversation_id: chat, sender_id: from.id, content: text, thread_id: thread, metadata: {message_id: id, name: "{{enrich.user.name}}"}}
${inbound}
outbound:
  send: {url: "{{config.api}}/send", body: '{"to":"{{msg.conversation_id}}","text":"{{msg.content}}","code":"{{msg.metadata.error_code}}"}'}
${rest}`;
  const defined = defineChannel(yaml, more);
  opened.push(defined);
  await defined.channel.start(defined.host);
  return defined;
}

const event = { type: "message", id: "1", chat: "c", from: { id: 7 }, text: "hello", thread: 12 };
const asked = (path: string): number =>
  server.requests.filter((request) => request.path === path).length;

describe("an event", () => {
  it("becomes a message with the platform's own identity", async () => {
    const { host, clock, post } = await open("");
    expect((await post(event)).status).toBe(200);
    expect(host.messages).toEqual([
      {
        channelKind: "stub",
        platformMessageId: "c:1",
        conversationId: "c",
        threadId: "12",
        senderId: "7",
        senderName: "",
        content: "hello",
        files: [],
        metadata: { message_id: "1" },
        sentAtMs: clock.now(),
      },
    ]);
  });

  it("takes its identity from dedup.key, else from the event itself, never from the time", async () => {
    const { host, clock, post } = await open("  dedup: {key: '{{event.team}}:{{event.id}}'}\n");
    await post({ ...event, team: "t" });
    await post({ ...event, id: undefined });
    clock.advance(1_000_000);
    await post({ ...event, id: undefined });
    const [first, second, third] = host.messages.map(({ platformMessageId }) => platformMessageId);
    expect(first).toBe("t:1");
    expect(second).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(third).toBe(second);
  });

  it("is filtered by type, by rules that let in and by rules that drop", async () => {
    const { host, post } = await open(`
  event_types: [message]
  always_process_when: {field: kind, equals: direct}
  process_when: [{field: text, contains: "!bot"}, {field: kind, equals: direct}]
  skip: [{field: from.bot, equals: true}, {field: subtype, not_empty: true, except: [file]}]
`);
    const cases: readonly (readonly [Record<string, unknown>, boolean])[] = [
      [{ text: "!bot a" }, true],
      [{ text: "b" }, false],
      [{ type: "other", text: "!bot c" }, false],
      [{ type: "other", kind: "direct", text: "d" }, true],
      [{ text: "!bot e", from: { id: 1, bot: true } }, false],
      [{ text: "!bot f", subtype: "edit" }, false],
      [{ text: "!bot g", subtype: "file" }, true],
    ];
    for (const [index, [more]] of cases.entries()) await post({ ...event, id: index, ...more });
    const expected = cases.filter(([, isTaken]) => isTaken).map(([{ text }]) => text);
    expect(host.contents()).toEqual(expected);
  });

  it("is found at its path, several at once, and nowhere else", async () => {
    const { host, post } = await open("  event_path: ['box.*.items.*', single]\n");
    await post({
      box: [
        { items: [event, { ...event, id: "2", text: "two" }] },
        { items: [{ ...event, id: "3" }] },
      ],
    });
    await post({ single: { ...event, id: "4", text: "four" } });
    expect((await post({ other: event })).status).toBe(200);
    expect(host.contents()).toEqual(["hello", "two", "hello", "four"]);
  });

  it("is looked up once, however often it comes: duplicates are told apart before anything is asked", async () => {
    const enrich =
      "  dedup: {key: '{{event.id}}'}\n  enrich:\n    user: {url: '{{config.api}}/user', extract: {name: user.name}}\n";
    const { host, post } = await open(enrich);
    await Promise.all([post(event), post(event), post(event)]);
    await post(event);
    expect(asked("/user")).toBe(1);
    expect(host.contents()).toEqual(["hello"]);
  });

  it("comes through again when it was refused", async () => {
    const { host, post } = await open("  dedup: {key: '{{event.id}}'}\n");
    host.answerWith(() => ({ kind: "refused", reason: "the disk is full", retryAfterMs: 2_500 }));
    expect((await post(event)).status).toBe(503);
    host.answerWith(() => ({ kind: "accepted" }));
    expect((await post(event)).status).toBe(200);
    expect(host.contents()).toEqual(["hello", "hello"]);
  });

  it("gets what lookups bring into its metadata, and repeats none within the time of the cache", async () => {
    const { host, clock, post } = await open(`
  enrich:
    user: {url: "{{config.api}}/user/{{event.from.id}}", extract: {name: user.name}, cache: {key: "{{event.from.id}}", ttl: 1m}}
`);
    await post(event);
    await post({ ...event, id: "2" });
    expect(asked("/user/7")).toBe(1);
    clock.advance(61_000);
    await post({ ...event, id: "3" });
    expect(asked("/user/7")).toBe(2);
    expect(host.messages.map(({ metadata }) => metadata["name"])).toEqual(["Ada", "Ada", "Ada"]);
  });

  it("is turned away with words when a lookup fails or brings too little", async () => {
    const { host, post } = await open(
      "  enrich:\n    user: {url: '{{config.api}}/user', extract: {name: user.missing}}\n",
    );
    expect((await post(event)).status).toBe(200);
    expect(host.messages).toEqual([]);
    const told = server.requests.find(({ path }) => path === "/send");
    expect(told?.json).toMatchObject({ to: "c", code: "enrichment_failed" });
  });

  it("is told to its sender when it can never be taken", async () => {
    const { host, post } = await open("");
    host.answerWith(() => ({ kind: "refused", reason: "the text is too long", retryAfterMs: 0 }));
    expect((await post(event)).status).toBe(200);
    expect(server.requests.at(-1)?.json["text"]).toMatch(
      /could not be taken: the text is too long/,
    );
  });

  it("is left out when it says nothing", async () => {
    const { host, post } = await open("");
    await post({ ...event, text: "" });
    expect(host.messages).toEqual([]);
  });

  it("passes its transforms, which never run away", async () => {
    const { host, post } = await open(
      `
  transforms:
    - {type: replace, pattern: "<@{{config.bot}}>", replacement: ""}
    - {type: replace, pattern: '(\\w+)@(\\w+)', replacement: '$2 at $1', regex: true}
    - {type: replace, pattern: '^{{event.word}}', replacement: '{{event.money}}', regex: true}
    - {type: replace, pattern: '(a+)+b', replacement: '', regex: true}
    - {type: trim}
`,
      { config: { bot: "U1" } },
    );
    await post({ ...event, text: " <@U1> ada@home ", word: ".", money: "$1" });
    await post({ ...event, id: "2", text: `.x ${"a".repeat(30_000)}`, word: ".", money: "$1" });
    expect(host.contents()[0]).toBe("home at ada");
    expect(host.contents()[1]?.startsWith("$1x aaa")).toBe(true);
  });

  it("is dispatched instead of answered where a rule says so, once, and echoes are not", async () => {
    const inbound = `
  dedup: {key: "{{event.id}}"}
  skip: [{field: text, contains: "!run"}]
  dispatch:
    when: [{field: text, contains: "!run"}]
    skip: [{field: from.bot, equals: "true"}]
    call: {url: "{{config.api}}/run?ref={{event.ref.name}}", headers: {Content-Type: application/x-www-form-urlencoded}, body: "id={{event.id}}"}
`;
    const secret = "http_webhook: {secret_header: X-Token, secret_value: s3cret}";
    const { host, post } = await open(inbound, {}, "", secret);
    const headers = { "x-token": "s3cret" };
    const asking = { ...event, text: "!run", ref: { name: "a&b" } };
    await post(asking, { headers });
    await post(asking, { headers });
    await post({ ...asking, id: "2", from: { bot: true } }, { headers });
    const calls = server.requests.map(({ target, body }) => [target, body]);
    expect(calls).toEqual([["/run?ref=a%26b", "id=1"]]);
    server.intercept(() => ({ status: 503 }));
    expect((await post({ ...asking, id: "3" }, { headers })).status).toBe(503);
    expect(host.messages).toEqual([]);
    await post({ ...event, id: "4" }, { headers });
    expect(host.contents()).toEqual(["hello"]);
  });

  it("calls its hooks after it was stored, where their condition holds", async () => {
    const { post } = await open(
      "",
      { config: { eyes: "eyes" } },
      `hooks:
  on_receive:
    - {url: "{{config.api}}/react", when: "{{config.eyes}}", body: '{"id":"{{event.metadata.message_id}}","who":"{{msg.sender_id}}","name":"{{config.eyes}}"}'}
    - {url: "{{config.api}}/never", when: "{{config.none}}"}
`,
    );
    await post(event);
    await vi.waitFor(() => expect(asked("/react")).toBe(1));
    expect(server.requests.at(-1)?.json).toEqual({ id: "1", who: "7", name: "eyes" });
    expect(asked("/never")).toBe(0);
  });

  it("brings files that lie in it, and those a rule loads", async () => {
    server.intercept(({ path }) => {
      if (path === "/info") return { json: { path: "a/b.png" } };
      if (path === "/file/a/b.png")
        return { body: "PNG", headers: { "Content-Type": "image/png; x=y" } };
      return undefined;
    });
    const { host, post } = await open(`
  media:
    - when: photo
      description: "a photo of {{event.photo.of}}"
      resolve:
        name: "{{event.photo.name}}"
        steps:
          - {url: "{{config.api}}/info", store: {path: path}}
          - {url: "{{config.api}}/file/{{resolve.path}}"}
    - when: place
      description: "at {{event.place}}"
`);
    await post({ ...event, photo: { of: "a cat", name: "cat.png" } });
    await post({ ...event, id: "2", text: "", place: "home" });
    server.intercept(({ path }) => (path === "/info" ? { status: 500 } : undefined));
    await post({ ...event, id: "3", text: "", photo: { of: "a dog" } });
    expect(
      host.messages.map(({ content, files }) => [
        content,
        files.map(({ name, mimeType, data }) => [name, mimeType, Buffer.from(data).toString()]),
      ]),
    ).toEqual([
      ["hello", [["cat.png", "image/png", "PNG"]]],
      ["at home", []],
      ["a photo of a dog", []],
    ]);
  });

  it("cannot send the operator's token to a host of its own choice", async () => {
    const thief = await startStubServer({ handle: () => ({ body: "x" }) });
    try {
      const { host, post } = await open(`
  media:
    - when: url
      resolve: {steps: [{url: "{{event.url}}", headers: {Authorization: "Bearer secret"}}]}
`);
      await post({ ...event, url: `${thief.url}/x` });
      server.intercept(() => ({ status: 302, headers: { Location: `${thief.url}/y` } }));
      await post({ ...event, id: "2", url: `${server.url}/moved` });
      expect(thief.requests).toEqual([]);
      expect(host.messages.map(({ files }) => files)).toEqual([[], []]);
    } finally {
      await thief[Symbol.asyncDispose]();
    }
  });
});
