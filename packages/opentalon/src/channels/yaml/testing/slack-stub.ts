import type { PostedFile } from "./posted-file.ts";
import {
  startStubServer,
  type StubAnswer,
  type StubRequest,
  type StubServer,
} from "./stub-server.ts";
import { acceptWebSocket, type WebSocketPeer } from "./websocket-peer.ts";

/** Slack as a bot sees it: the Web API and Socket Mode. */
export interface SlackStub extends AsyncDisposable {
  readonly server: StubServer;
  readonly apiUrl: string;
  /** Texts that stand in conversations now, in the order they were first posted. */
  readonly texts: () => readonly string[];
  /** Files that were shared, in their order. */
  readonly files: () => readonly PostedFile[];
  /** What is said of the bot below threads now. */
  readonly statuses: () => Readonly<Record<string, string>>;
  /** Calls of one method, as they came. */
  readonly calls: (method: string) => readonly StubRequest[];
  /** The socket that is open now. */
  readonly socket: () => WebSocketPeer | undefined;
  readonly socketCount: () => number;
  /** Wraps an event into an envelope and sends it; returns the envelope's id. */
  readonly emit: (payload: unknown, type?: string) => string;
  readonly acknowledged: () => readonly string[];
}

export const slackBot = {
  userId: "U0BOT",
  botId: "B0BOT",
  token: "xoxb-1-secret-bot",
  appToken: "xapp-1-secret-app",
};

export async function startSlackStub(): Promise<SlackStub> {
  const posted = new Map<string, string>();
  const acknowledged: string[] = [];
  const files: PostedFile[] = [];
  const uploads = new Map<string, { name: string; length: number; bytes?: Buffer }>();
  const statuses: Record<string, string> = {};
  const sockets: WebSocketPeer[] = [];
  let count = 0;
  const tokens = new Set([`Bearer ${slackBot.token}`, `Bearer ${slackBot.appToken}`]);

  const share = (json: StubRequest["json"]): StubAnswer => {
    const [shared] = json["files"] as readonly { readonly id: string; readonly title: string }[];
    const upload = uploads.get(shared?.id ?? "");
    if (upload?.bytes === undefined) return { json: { ok: false, error: "file_not_found" } };
    if (typeof json["channel_id"] !== "string")
      return { json: { ok: false, error: "channel_not_found" } };
    const fields = { channel_id: json["channel_id"], thread_ts: toText(json["thread_ts"]) };
    const caption = toText(json["initial_comment"]);
    files.push({ kind: "file", name: upload.name, type: "", bytes: upload.bytes, caption, fields });
    return { json: { ok: true, files: [{ id: shared?.id, title: shared?.title }] } };
  };

  const handle = (request: StubRequest): StubAnswer => {
    const { path, json, headers, body } = request;
    if (path.startsWith("/upload/v1/")) {
      const upload = uploads.get(path.slice("/upload/v1/".length));
      if (upload === undefined || headers.authorization !== undefined) return { status: 400 };
      if (upload.length !== request.bytes.length) return { status: 400, body: "wrong length" };
      upload.bytes = request.bytes;
      return { body: `OK - ${upload.length}`, headers: { "Content-Type": "text/plain" } };
    }
    if (!tokens.has(headers.authorization ?? ""))
      return { json: { ok: false, error: "invalid_auth" } };
    switch (path.replace("/api/", "")) {
      case "auth.test":
        return { json: { ok: true, user_id: slackBot.userId, bot_id: slackBot.botId, team: "T1" } };
      case "apps.connections.open":
        return {
          json: { ok: true, url: `${server.url.replace("http", "ws")}/link/?ticket=t1&app_id=a1` },
        };
      case "chat.postMessage": {
        if (typeof json["channel"] !== "string")
          return { json: { ok: false, error: "channel_not_found" } };
        if (typeof json["text"] !== "string") return { json: { ok: false, error: "no_text" } };
        const ts = `1700000000.${String((count += 1)).padStart(6, "0")}`;
        posted.set(ts, json["text"]);
        return { json: { ok: true, channel: json["channel"], ts } };
      }
      case "chat.update": {
        const ts = String(json["ts"]);
        if (!posted.has(ts)) return { json: { ok: false, error: "message_not_found" } };
        posted.set(ts, String(json["text"]));
        return { json: { ok: true, ts, text: json["text"] } };
      }
      case "files.getUploadURLExternal": {
        const form = new URLSearchParams(body);
        const [name, length] = [form.get("filename") ?? "", Number(form.get("length"))];
        if (name === "" || !(length > 0))
          return { json: { ok: false, error: "invalid_arguments" } };
        const id = `F${uploads.size + 1}`;
        uploads.set(id, { name, length });
        return { json: { ok: true, file_id: id, upload_url: `${server.url}/upload/v1/${id}` } };
      }
      case "files.completeUploadExternal":
        return share(json);
      case "assistant.threads.setStatus": {
        const form = new URLSearchParams(body);
        const thread = toText(json["thread_ts"] ?? form.get("thread_ts"));
        if (thread === "") return { json: { ok: false, error: "invalid_thread_ts" } };
        statuses[thread] = toText(json["status"] ?? form.get("status"));
        return { json: { ok: true } };
      }
      case "reactions.add":
      case "reactions.remove":
        return { json: { ok: true } };
      default:
        if (path.startsWith("/files-pri/")) {
          return {
            body: Buffer.from("\u0089PNG\r\n\u001a\n…", "latin1"),
            headers: { "Content-Type": "image/png" },
          };
        }
        return { json: { ok: false, error: "unknown_method" } };
    }
  };
  const server = await startStubServer({
    handle,
    onUpgrade: (request, socket) => {
      const peer = acceptWebSocket(request, socket, (text) => {
        acknowledged.push((JSON.parse(text) as { envelope_id: string }).envelope_id);
      });
      sockets.push(peer);
      peer.sendText(
        JSON.stringify({ type: "hello", num_connections: 1, connection_info: { app_id: "A1" } }),
      );
    },
  });
  let envelopes = 0;
  return {
    server,
    apiUrl: `${server.url}/api`,
    texts: () => [...posted.values()],
    files: () => files,
    statuses: () => statuses,
    calls: (method) => server.requests.filter(({ path }) => path === `/api/${method}`),
    socket: () => sockets.findLast((peer) => peer.isOpen()),
    socketCount: () => sockets.length,
    emit: (payload, type = "events_api") => {
      const id = `envelope-${(envelopes += 1)}`;
      const frame = { envelope_id: id, type, accepts_response_payload: false, payload };
      sockets.findLast((peer) => peer.isOpen())?.sendText(JSON.stringify(frame));
      return id;
    },
    acknowledged: () => acknowledged,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

let times = 0;

/** A message as the Events API brings it; direct ones by default. */
export function slackMessage(
  text: string,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const ts = `1700000100.${String((times += 1)).padStart(6, "0")}`;
  const event = {
    type: "message",
    channel: "D0ADA",
    channel_type: "im",
    user: "U0ADA",
    text,
    ts,
    event_ts: ts,
    ...more,
  };
  return {
    type: "event_callback",
    team_id: "T1",
    api_app_id: "A1",
    event,
    event_id: `Ev${times}`,
    event_time: 1_700_000_100,
  };
}
