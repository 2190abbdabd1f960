import { ChannelType, MessageType } from "@discordjs/core/http-only";
import {
  startStubServer,
  type StubAnswer,
  type StubRequest,
  type StubServer,
} from "../../../../packages/opentalon/src/channels/yaml/testing/stub-server.ts";
import { isNewer, toSnowflake } from "../snowflake.ts";
import { createStubGateway, type StubGateway } from "./stub-gateway.ts";

export const discordBot = {
  id: "900000000000000001",
  roleId: "900000000000000002",
  token: "OTAw.secret.token",
};
/** Where things happen: a server with a channel, a person, and their direct messages. */
export const ids = {
  guild: "800000000000000001",
  channel: "800000000000000010",
  person: "700000000000000001",
  other: "700000000000000002",
  direct: "600000000000000001",
};

export interface StubMessage {
  readonly id: string;
  readonly channel_id: string;
  readonly author: { readonly id: string; readonly [field: string]: unknown };
  content: string;
  readonly nonce?: string;
  readonly [field: string]: unknown;
}

interface StubChannel {
  readonly id: string;
  readonly type: ChannelType;
  readonly guild_id?: string;
  readonly parent_id?: string;
  member?: object;
  last_message_id: string | null;
}

/** Discord as a bot sees it: the REST API, version 10, and the gateway. */
export interface DiscordStub extends AsyncDisposable {
  readonly server: StubServer;
  readonly apiUrl: string;
  readonly gateway: StubGateway;
  /** A person writes; a direct message unless `more` says where. */
  readonly say: (content: string, more?: Readonly<Record<string, unknown>>) => StubMessage;
  /** A message that stands there, and of which the gateway says nothing. */
  readonly put: (content: string, more?: Readonly<Record<string, unknown>>) => StubMessage;
  readonly addChannel: (channel: Omit<StubChannel, "last_message_id">) => void;
  /** Own messages as they stand there now, oldest first. */
  readonly posts: () => readonly StubMessage[];
  readonly texts: () => readonly string[];
  /** Files of own messages. */
  readonly files: () => readonly { readonly name: string; readonly size: number }[];
  /** Messages of the bot are left unanswered until the returned function is called. */
  readonly hold: () => () => void;
  /** Requests by method and end of the path, as they came. */
  readonly calls: (method: string, path: RegExp) => readonly StubRequest[];
  /** The JSON of a request, also of one that carries files. */
  readonly readBody: (request: StubRequest) => Readonly<Record<string, unknown>>;
}

const unknownChannel = refuse(404, 10_003, "Unknown Channel");
const unknownMessage = refuse(404, 10_008, "Unknown Message");
const root = "/api/v10";

/** A refusal as Discord writes it. */
export function refuse(status: number, code: number, message: string): StubAnswer {
  return { status, json: { message, code } };
}

export async function startDiscordStub(): Promise<DiscordStub> {
  const channels = new Map<string, StubChannel>();
  const messages = new Map<string, StubMessage[]>();
  let lastMs = 0;
  let count = 0n;
  const addChannel: DiscordStub["addChannel"] = (channel) =>
    void channels.set(channel.id, { ...channel, last_message_id: null });
  addChannel({ id: ids.direct, type: ChannelType.DM });
  addChannel({ id: ids.channel, type: ChannelType.GuildText, guild_id: ids.guild });

  const createId = (): string => {
    lastMs = Math.max(lastMs, Date.now());
    return String(BigInt(toSnowflake(lastMs)) + (count += 1n));
  };
  const keep = (message: StubMessage): StubMessage => {
    messages.set(message.channel_id, [...(messages.get(message.channel_id) ?? []), message]);
    const channel = channels.get(message.channel_id);
    if (channel !== undefined) channel.last_message_id = message.id;
    return message;
  };
  const toMessage = (content: string, more: Readonly<Record<string, unknown>>): StubMessage => ({
    id: createId(),
    channel_id: ids.direct,
    type: MessageType.Default,
    author: { id: ids.person, username: "ada", global_name: "Ada" },
    content,
    timestamp: new Date().toISOString(),
    edited_timestamp: null,
    tts: false,
    mention_everyone: false,
    mentions: [],
    mention_roles: [],
    attachments: [],
    embeds: [],
    pinned: false,
    ...more,
  });
  const put: DiscordStub["put"] = (content, more = {}) => keep(toMessage(content, more));
  const withGuild = (message: StubMessage): object => {
    const guildId = channels.get(message.channel_id)?.guild_id;
    return guildId === undefined ? message : { ...message, guild_id: guildId };
  };
  const announce = (message: StubMessage): StubMessage => {
    gateway.dispatch("MESSAGE_CREATE", withGuild(message));
    return message;
  };
  const find = (channelId = "", messageId = ""): StubMessage | undefined =>
    messages.get(channelId)?.find(({ id }) => id === messageId);

  const post = (request: StubRequest, channelId: string): StubAnswer => {
    const channel = channels.get(channelId);
    if (channel === undefined) return unknownChannel;
    const body = readBody(request);
    const { content, nonce, enforce_nonce: isEnforced } = body;
    const known = messages.get(channelId)?.find((each) => each.nonce === nonce);
    if (isEnforced === true && known !== undefined) return { json: known };
    const problem = findProblem(body, request);
    if (problem !== undefined) return problem;
    const author = { id: discordBot.id, username: "talon", bot: true };
    const message = put(String(content), { ...body, channel_id: channelId, author });
    if (channel.parent_id !== undefined) channel.member ??= { user_id: discordBot.id };
    announce(message);
    return { json: message };
  };

  const openThread = (request: StubRequest, parentId: string, messageId: string): StubAnswer => {
    if (find(parentId, messageId) === undefined) return unknownMessage;
    if (channels.has(messageId))
      return refuse(400, 160_004, "A thread has already been created for this message");
    const thread: StubChannel = {
      id: messageId,
      type: ChannelType.PublicThread,
      guild_id: ids.guild,
      parent_id: parentId,
      member: { user_id: discordBot.id },
      last_message_id: null,
    };
    channels.set(messageId, thread);
    gateway.dispatch("THREAD_CREATE", { ...thread, newly_created: true });
    return { status: 201, json: { ...thread, name: request.json["name"] } };
  };

  const list = ({ query }: StubRequest, channelId: string): StubAnswer => {
    if (!channels.has(channelId)) return unknownChannel;
    const after = query.get("after") ?? "0";
    const newer = (messages.get(channelId) ?? []).filter(({ id }) => isNewer(id, after));
    // The oldest of those, the newest of them first.
    return { json: newer.slice(0, Number(query.get("limit") ?? 50)).toReversed() };
  };

  let held: Promise<void> = Promise.resolve();
  const handle = async (request: StubRequest): Promise<StubAnswer> => {
    const { method, path, headers } = request;
    if (path.startsWith("/attachments/")) {
      return { body: "OggS-voice", headers: { "Content-Type": "audio/ogg" } };
    }
    if (headers.authorization !== `Bot ${discordBot.token}`)
      return refuse(401, 0, "401: Unauthorized");
    const [kind, id = "", what, messageId = "", below] = path.slice(root.length + 1).split("/");
    switch (`${method} ${kind} ${what ?? ""} ${below ?? ""}`.trimEnd()) {
      case "GET users":
        return { json: { id: discordBot.id, username: "talon", bot: true } };
      case "GET gateway":
        return {
          json: {
            url: gateway.url(),
            shards: 1,
            session_start_limit: {
              total: 1_000,
              remaining: 999,
              reset_after: 14_400_000,
              max_concurrency: 1,
            },
          },
        };
      case "GET guilds roles":
        return { json: [{ id: discordBot.roleId, tags: { bot_id: discordBot.id } }] };
      case "GET channels":
        return channels.has(id) ? { json: channels.get(id) } : unknownChannel;
      case "GET channels messages":
        return messageId === "" ? list(request, id) : toAnswer(find(id, messageId));
      case "POST channels messages":
        await held;
        return post(request, id);
      case "POST channels messages threads":
        return openThread(request, id, messageId);
      case "PATCH channels messages": {
        const message = find(id, messageId);
        if (message === undefined) return unknownMessage;
        Object.assign(message, readBody(request));
        return { json: message };
      }
      case "POST channels typing":
        return { status: 204, body: "" };
      default:
        return kind === "interactions"
          ? { status: 204, body: "" }
          : refuse(404, 0, "404: Not Found");
    }
  };

  const gateway = createStubGateway({
    token: discordBot.token,
    onIdentify: () => {
      const [rooms, threads] = [false, true].map((isThread) =>
        [...channels.values()].filter(
          ({ guild_id: guildId, parent_id: parentId }) =>
            guildId !== undefined && (parentId !== undefined) === isThread,
        ),
      );
      const guild = { id: ids.guild, joined_at: "2024-01-01T00:00:00Z", channels: rooms, threads };
      gateway.dispatch("GUILD_CREATE", guild);
    },
  });
  const server = await startStubServer({ handle, onUpgrade: gateway.accept });
  gateway.listenAt(`${server.url.replace("http", "ws")}/gateway`);

  const own = (): readonly StubMessage[] =>
    [...messages.values()]
      .flat()
      .filter(({ author }) => author.id === discordBot.id)
      .sort((a, b) => (isNewer(a.id, b.id) ? 1 : -1));
  return {
    server,
    apiUrl: `${server.url}/api`,
    gateway,
    say: (content, more = {}) => announce(put(content, more)),
    put,
    addChannel,
    posts: own,
    files: () =>
      server.requests
        .filter(({ method, path }) => method !== "GET" && path.includes("/messages"))
        .flatMap(readFiles),
    hold: () => {
      const gate = Promise.withResolvers<void>();
      held = gate.promise;
      return gate.resolve;
    },
    texts: () => own().map(({ content }) => content),
    calls: (method, path) =>
      server.requests.filter((request) => request.method === method && path.test(request.path)),
    readBody,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function toAnswer(message: StubMessage | undefined): StubAnswer {
  return message === undefined ? unknownMessage : { json: message };
}

function findProblem(
  { content }: Readonly<Record<string, unknown>>,
  { body }: StubRequest,
): StubAnswer | undefined {
  if (typeof content !== "string" || content.length > 2_000)
    return refuse(400, 50_035, "Invalid Form Body");
  if (content === "" && !body.includes("filename="))
    return refuse(400, 50_006, "Cannot send an empty message");
  return undefined;
}

function readBody({ headers, body, json }: StubRequest): Readonly<Record<string, unknown>> {
  if (headers["content-type"]?.startsWith("multipart/") !== true) return json;
  const [, text = "{}"] =
    /name="payload_json"\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--/s.exec(body) ?? [];
  return JSON.parse(text) as Record<string, unknown>;
}

function readFiles({ body }: StubRequest): readonly { name: string; size: number }[] {
  const parts = body.matchAll(/filename="([^"]*)"\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--/gs);
  return [...parts].map(([, name = "", data = ""]) => ({ name, size: Buffer.byteLength(data) }));
}
