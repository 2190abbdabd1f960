import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createStubRooms, type StubEvent, type StubRooms } from "./stub-rooms.ts";

export interface StubRequest {
  readonly method: string;
  /** Without the query, unescaped. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** The body as JSON, `{}` when it is none. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface StubAnswer {
  readonly status?: number;
  readonly json?: unknown;
  readonly bytes?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Hangs up in the middle of the answer. */
  readonly isCut?: boolean;
}

/** What a message is, as its readers see it now. */
export interface ShownMessage {
  readonly eventId: string;
  readonly body: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** A homeserver with the client-server API of Matrix, over HTTP; rooms and people in memory. */
export interface HomeserverStub extends AsyncDisposable, Omit<StubRooms, "create"> {
  readonly url: string;
  readonly requests: readonly StubRequest[];
  readonly openConnections: () => number;
  /** A person's direct chat with the bot, both in it. */
  readonly openDirectChat: (person?: string, id?: string) => string;
  /** A room with the bot and two people. */
  readonly openGroup: () => string;
  /** A room of a person, to which the bot is invited. */
  readonly invite: (options?: { person?: string; isDirect?: boolean }) => string;
  /** A person writes; gives the event's id. */
  readonly say: (
    roomId: string,
    body: string,
    more?: Readonly<Record<string, unknown>>,
    person?: string,
  ) => string;
  readonly react: (roomId: string, eventId: string, key: string, person?: string) => string;
  /** Messages of the bot, with their edits; reactions and what it took back are not among them. */
  readonly shown: (roomId?: string) => readonly ShownMessage[];
  readonly texts: (roomId?: string) => readonly string[];
  /** All events of the bot of one type. */
  readonly sent: (type: string) => readonly StubEvent[];
  readonly membership: (roomId: string) => string;
  /** Requests whose path matches, as they came. */
  readonly calls: (pattern: RegExp) => readonly StubRequest[];
  /** Decides first; `undefined` leaves the request to the usual handling. */
  readonly intercept: (
    handler: ((request: StubRequest) => StubAnswer | Promise<StubAnswer> | undefined) | undefined,
  ) => void;
  /** Does what a request asks for; gives the usual answer. */
  readonly perform: (request: StubRequest) => Promise<StubAnswer>;
  /** A file that lies there; gives its address. */
  readonly addMedia: (data: Buffer, mimeType: string) => string;
  readonly media: ReadonlyMap<string, { readonly data: Buffer; readonly mimeType: string }>;
  /** Makes the access tokens given so far worthless. */
  readonly signOut: () => void;
  /** Hangs up on everybody. */
  readonly hangUp: () => void;
  /** Answers nothing of the newer media addresses, as older homeservers. */
  hasOldMedia: boolean;
}

export const bot = {
  userId: "@talon:hs.test",
  displayName: "Talon",
  password: "correct horse",
  token: "syt_dGFsb24_secretsecret_0",
};
export const ada = "@ada:hs.test";
export const bob = "@bob:other.test";

const error = (status: number, errcode: string, text: string): StubAnswer => ({
  status,
  json: { errcode, error: text },
});
const toName = (userId: string): string => {
  const local = userId.slice(1, userId.indexOf(":"));
  return `${local.charAt(0).toUpperCase()}${local.slice(1)}`;
};
const readPosition = (token: string | null): number | undefined =>
  token === null || token === "" ? undefined : Number(token.slice(1));

export async function startHomeserverStub(): Promise<HomeserverStub> {
  const requests: StubRequest[] = [];
  const sockets = new Set<Socket>();
  const waiters = new Set<() => void>();
  const tokens = new Map<string, string>([[bot.token, "DEVICE0"]]);
  const transactions = new Map<string, string>();
  const media = new Map<string, { data: Buffer; mimeType: string }>();
  const filters: unknown[] = [];
  let intercept: Parameters<HomeserverStub["intercept"]>[0];
  let hasOldMedia = false;
  let logins = 0;

  const wake = (): void => {
    for (const waiter of waiters) waiter();
  };
  const rooms = createStubRooms(wake);

  const waitForNews = (waitMs: number, gone: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        waiters.delete(finish);
        gone.removeEventListener("abort", finish);
        resolve();
      };
      const timer = setTimeout(finish, waitMs);
      waiters.add(finish);
      gone.addEventListener("abort", finish);
    });

  const sync = async ({ query }: StubRequest, gone: AbortSignal): Promise<StubAnswer> => {
    const written = query.get("filter") ?? "{}";
    const filter = (
      written.startsWith("{") ? JSON.parse(written) : filters[Number(written)]
    ) as Record<string, unknown>;
    const since = readPosition(query.get("since"));
    if (Number.isNaN(since)) return error(400, "M_UNKNOWN", "Invalid stream token");
    const endMs = Date.now() + Number(query.get("timeout") ?? 0);
    for (;;) {
      const { hasNews, answer } = rooms.sync(bot.userId, since, filter);
      const leftMs = endMs - Date.now();
      if (hasNews || since === undefined || leftMs <= 0 || gone.aborted) return { json: answer };
      await waitForNews(leftMs, gone);
    }
  };

  const logIn = ({ json }: StubRequest): StubAnswer => {
    const { user } = json["identifier"] as { user?: string };
    if (json["type"] !== "m.login.password") return error(400, "M_UNKNOWN", "Unknown login type");
    const isUser = user === bot.userId || user === "talon";
    if (!isUser || json["password"] !== bot.password)
      return error(403, "M_FORBIDDEN", "Invalid username or password");
    logins += 1;
    const device = typeof json["device_id"] === "string" ? json["device_id"] : `DEVICE${logins}`;
    const token = `syt_login_${logins}`;
    tokens.set(token, device);
    return { json: { user_id: bot.userId, access_token: token, device_id: device } };
  };

  const serveRoom = (
    { method, query, json }: StubRequest,
    roomId: string,
    rest: readonly string[],
    device: string,
  ): StubAnswer => {
    const [what = "", first = "", second = ""] = rest;
    const room = rooms.rooms.get(roomId);
    const own = room?.members.get(bot.userId)?.event.content["membership"];
    if (room === undefined || own !== "join")
      return error(403, "M_FORBIDDEN", `User ${bot.userId} not in room ${roomId}`);
    switch (`${method} ${what}`) {
      case "PUT send": {
        const transaction = JSON.stringify([device, roomId, first, second]);
        const before = transactions.get(transaction);
        if (before !== undefined) return { json: { event_id: before } };
        if (JSON.stringify(json).length > 60_000)
          return error(413, "M_TOO_LARGE", "event too large");
        const { event_id } = rooms.append(roomId, {
          type: first,
          sender: bot.userId,
          content: json,
        });
        transactions.set(transaction, event_id);
        return { json: { event_id } };
      }
      case "GET event": {
        const event = rooms.find(roomId, first, bot.userId);
        return event === undefined
          ? error(404, "M_NOT_FOUND", "Event not found.")
          : { json: event };
      }
      case "GET messages": {
        const range = {
          from: readPosition(query.get("from")) ?? rooms.position() + 1,
          to: readPosition(query.get("to")),
          limit: Number(query.get("limit") ?? 10),
        };
        const filter = JSON.parse(query.get("filter") ?? "{}") as Record<string, unknown>;
        return { json: rooms.before(roomId, range, bot.userId, filter) };
      }
      case "GET joined_members": {
        const joined = [...room.members]
          .filter(([, { event }]) => event.content["membership"] === "join")
          .map(([userId]) => [userId, { display_name: toName(userId) }]);
        return { json: { joined: Object.fromEntries(joined) as unknown } };
      }
      case "PUT typing":
      case "POST receipt":
        return { json: {} };
      case "PUT redact":
        rooms.redact(roomId, first);
        return { json: { event_id: "$redaction" } };
      default:
        return error(404, "M_UNRECOGNIZED", "Unrecognized request");
    }
  };

  const serveMedia = (server: string, id: string): StubAnswer => {
    const file = media.get(`mxc://${server}/${id}`);
    if (file === undefined) return error(404, "M_NOT_FOUND", "Not found");
    return { bytes: file.data, headers: { "content-type": file.mimeType } };
  };

  const addMedia = (data: Buffer, mimeType: string): string => {
    const address = `mxc://hs.test/media${media.size}`;
    media.set(address, { data, mimeType });
    return address;
  };

  const handle = async (request: StubRequest, gone: AbortSignal): Promise<StubAnswer> => {
    const { method, path, headers } = request;
    const parts = path.split("/").slice(1);
    if (path === "/_matrix/client/versions")
      return { json: { versions: ["v1.1", "v1.11", "v1.12"] } };
    if (path === "/_matrix/client/v3/login") {
      if (method === "POST") return logIn(request);
      return { json: { flows: [{ type: "m.login.password" }, { type: "m.login.token" }] } };
    }
    const token = /^Bearer (.*)$/.exec(headers.authorization ?? "")?.[1];
    const device = tokens.get(token ?? "");
    if (token === undefined) return error(401, "M_MISSING_TOKEN", "Missing access token");
    if (device === undefined)
      return {
        status: 401,
        json: { errcode: "M_UNKNOWN_TOKEN", error: "Unknown access token", soft_logout: false },
      };
    const [, area = "", version = "", what = "", ...rest] = parts;
    if (area === "client" && version === "v1" && what === "media") {
      if (hasOldMedia) return error(404, "M_UNRECOGNIZED", "Unrecognized request");
      return serveMedia(rest[1] ?? "", rest[2] ?? "");
    }
    if (area === "media" && what === "download") return serveMedia(rest[0] ?? "", rest[1] ?? "");
    if (area === "media" && what === "upload")
      return { json: { content_uri: addMedia(request.bytes, headers["content-type"] ?? "") } };
    if (area !== "client" || version !== "v3")
      return error(404, "M_UNRECOGNIZED", "Unrecognized request");
    switch (what) {
      case "account":
        return { json: { user_id: bot.userId, device_id: device, is_guest: false } };
      case "profile":
        return { json: { displayname: bot.displayName } };
      case "sync":
        return sync(request, gone);
      case "user":
        filters.push(request.json);
        return { json: { filter_id: String(filters.length - 1) } };
      case "join": {
        const [roomId = ""] = rest;
        const own = rooms.rooms.get(roomId)?.members.get(bot.userId)?.event.content["membership"];
        if (own === undefined)
          return error(403, "M_FORBIDDEN", "You are not invited to this room.");
        if (own !== "join") rooms.setMembership(roomId, bot, "join");
        return { json: { room_id: roomId } };
      }
      case "rooms": {
        const [roomId = "", ...more] = rest;
        return serveRoom(request, roomId, more, device);
      }
      default:
        return error(404, "M_UNRECOGNIZED", "Unrecognized request");
    }
  };

  const server = createServer((incoming, outgoing) => {
    const gone = new AbortController();
    outgoing.on("close", () => gone.abort());
    const serve = async (): Promise<void> => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const bytes = Buffer.concat(chunks);
      const url = new URL(incoming.url ?? "/", "http://localhost");
      const request: StubRequest = {
        method: incoming.method ?? "",
        path: url.pathname.split("/").map(decodeURIComponent).join("/"),
        query: url.searchParams,
        headers: incoming.headers,
        bytes,
        json: toJson(bytes),
      };
      requests.push(request);
      respond(outgoing, await (intercept?.(request) ?? handle(request, gone.signal)));
    };
    serve().catch((problem: unknown) => {
      console.error(problem);
      outgoing.destroy();
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;

  const shown = (roomId?: string): readonly ShownMessage[] =>
    [...rooms.rooms.values()]
      .filter(({ id }) => roomId === undefined || id === roomId)
      .flatMap(({ timeline }) => timeline)
      .toSorted((a, b) => a.position - b.position)
      .map(({ event }) => event)
      .filter(({ type, sender, content }) => {
        const relation = content["m.relates_to"] as { rel_type?: string } | undefined;
        return (
          type === "m.room.message" && sender === bot.userId && relation?.rel_type !== "m.replace"
        );
      })
      .map((event) => {
        const found = rooms.find(event.room_id, event.event_id, bot.userId);
        const relations = found?.unsigned["m.relations"] as Record<string, StubEvent> | undefined;
        const edited = relations?.["m.replace"]?.content["m.new_content"];
        const content = (edited ?? event.content) as Record<string, unknown>;
        return { eventId: event.event_id, body: String(content["body"]), content };
      });

  const openRoom = (people: readonly string[], given?: string): string => {
    const [creator = ada, ...others] = people;
    const { id } = rooms.create(creator, toName(creator), given);
    for (const userId of others)
      rooms.setMembership(id, { userId, displayName: toName(userId) }, "join");
    rooms.setMembership(id, { ...bot, sender: creator }, "invite");
    rooms.setMembership(id, bot, "join");
    return id;
  };

  return {
    ...rooms,
    url: `http://127.0.0.1:${port}`,
    requests,
    openConnections: () => sockets.size,
    openDirectChat: (person = ada, id?: string) => openRoom([person], id),
    openGroup: () => openRoom([ada, bob]),
    invite: ({ person = ada, isDirect = true } = {}) => {
      const { id } = rooms.create(person, toName(person));
      rooms.setMembership(id, { ...bot, sender: person, isDirect }, "invite");
      return id;
    },
    say: (roomId, body, more = {}, sender = ada) =>
      rooms.append(roomId, {
        type: "m.room.message",
        sender,
        content: { msgtype: "m.text", body, ...more },
      }).event_id,
    react: (roomId, eventId, key, sender = ada) =>
      rooms.append(roomId, {
        type: "m.reaction",
        sender,
        content: { "m.relates_to": { rel_type: "m.annotation", event_id: eventId, key } },
      }).event_id,
    shown,
    texts: (roomId) => shown(roomId).map(({ body }) => body),
    sent: (type) =>
      [...rooms.rooms.values()]
        .flatMap(({ timeline }) => timeline.map(({ event }) => event))
        .filter((event) => event.type === type && event.sender === bot.userId),
    membership: (roomId) =>
      String(rooms.rooms.get(roomId)?.members.get(bot.userId)?.event.content["membership"]),
    calls: (pattern) => requests.filter(({ path }) => pattern.test(path)),
    intercept: (handler) => {
      intercept = handler;
    },
    perform: (request) => handle(request, AbortSignal.abort()),
    addMedia,
    media,
    signOut: () => tokens.clear(),
    hangUp: () => {
      for (const socket of sockets) socket.destroy();
    },
    get hasOldMedia() {
      return hasOldMedia;
    },
    set hasOldMedia(value) {
      hasOldMedia = value;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
        wake();
      }),
  };
}

function respond(outgoing: ServerResponse, answer: StubAnswer): void {
  if (outgoing.destroyed) return;
  const body = answer.bytes ?? Buffer.from(JSON.stringify(answer.json ?? {}));
  outgoing.writeHead(answer.status ?? 200, {
    "content-type": "application/json",
    "content-length": body.length,
    ...answer.headers,
  });
  if (answer.isCut !== true) return void outgoing.end(body);
  outgoing.write(body.subarray(0, Math.floor(body.length / 2)), () => outgoing.destroy());
}

function toJson(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(bytes.toString("utf8")) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
