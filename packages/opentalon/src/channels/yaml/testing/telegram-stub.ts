import { type PostedFile, readForm } from "./posted-file.ts";
import {
  startStubServer,
  type StubAnswer,
  type StubRequest,
  type StubServer,
} from "./stub-server.ts";
import { findEntityProblem } from "./telegram-html.ts";

/** Telegram's Bot API for one bot. */
export interface TelegramStub extends AsyncDisposable {
  readonly server: StubServer;
  /** Texts that stand in chats now, in the order they were first posted. */
  readonly texts: () => readonly string[];
  readonly calls: (method: string) => readonly StubRequest[];
  /** Files that stand in chats, in their order. */
  readonly files: () => readonly PostedFile[];
  /** Queues an update for getUpdates; returns it. */
  readonly add: (update: Readonly<Record<string, unknown>>) => Record<string, unknown>;
  /** Updates that were not confirmed by a higher offset. */
  readonly pending: () => number;
}

export const telegramBot = { id: 4242, username: "talon_bot", token: "4242:AAsecret-token" };

export async function startTelegramStub(): Promise<TelegramStub> {
  const posted = new Map<number, string>();
  const files: PostedFile[] = [];
  let updates: Record<string, unknown>[] = [];
  let updateId = 1_000;
  let messageId = 100;
  let wake: () => void = () => undefined;

  const getUpdates = async ({ json }: StubRequest): Promise<StubAnswer> => {
    const offset = typeof json["offset"] === "number" ? json["offset"] : 0;
    updates = updates.filter((update) => Number(update["update_id"]) >= offset);
    if (updates.length === 0 && Number(json["timeout"]) > 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, Number(json["timeout"]) * 1_000).unref();
      });
    }
    return { json: { ok: true, result: updates.slice(0, 100) } };
  };

  const takeFile = async (method: string, request: StubRequest): Promise<StubAnswer> => {
    const { fields, file } = await readForm(request);
    const field = method.slice("send".length).toLowerCase();
    if (file?.field !== field) return toError(`there is no ${field} in the request`);
    if (file.bytes.length > 50_000_000 || (field === "photo" && file.bytes.length > 10_000_000))
      return {
        status: 413,
        json: { ok: false, error_code: 413, description: "Request Entity Too Large" },
      };
    if (field === "photo" && file.bytes.toString().startsWith("odd"))
      return toError("PHOTO_INVALID_DIMENSIONS");
    const { caption = "", parse_mode: mode } = fields;
    const problem = mode === "HTML" ? findEntityProblem(caption) : undefined;
    if (problem !== undefined) return toError(problem);
    if (caption.length > 1_024) return toError("message caption is too long");
    files.push({ ...file, kind: method, caption, fields });
    return toResult({ message_id: (messageId += 1), chat: { id: Number(fields["chat_id"]) } });
  };

  const handle = (request: StubRequest): StubAnswer | Promise<StubAnswer> => {
    const { path, json, query } = request;
    if (path.startsWith(`/file/bot${telegramBot.token}/`)) {
      return { body: "OggS-voice", headers: { "Content-Type": "application/octet-stream" } };
    }
    const method = /^\/bot([^/]+)\/(\w+)$/.exec(path);
    if (method?.[1] !== telegramBot.token) {
      return { status: 401, json: { ok: false, error_code: 401, description: "Unauthorized" } };
    }
    switch (method[2]) {
      case "getMe":
        return toResult({ id: telegramBot.id, is_bot: true, username: telegramBot.username });
      case "getUpdates":
        return getUpdates(request);
      case "sendMessage": {
        if (typeof json["text"] !== "string" || json["text"] === "")
          return toError("message text is empty");
        const problem = json["parse_mode"] === "HTML" ? findEntityProblem(json["text"]) : undefined;
        if (problem !== undefined) return toError(problem);
        if (Array.from(json["text"]).length > 4096) return toError("message is too long");
        messageId += 1;
        posted.set(messageId, json["text"]);
        return toResult({
          message_id: messageId,
          chat: { id: Number(json["chat_id"]) },
          text: json["text"],
        });
      }
      case "editMessageText": {
        const id = Number(json["message_id"]);
        if (posted.get(id) === json["text"]) return toError("message is not modified");
        if (!posted.has(id)) return toError("message to edit not found");
        const problem =
          json["parse_mode"] === "HTML" ? findEntityProblem(String(json["text"])) : undefined;
        if (problem !== undefined) return toError(problem);
        posted.set(id, String(json["text"]));
        return toResult({ message_id: id });
      }
      case "sendPhoto":
      case "sendAnimation":
      case "sendAudio":
      case "sendVoice":
      case "sendVideo":
      case "sendDocument":
        return takeFile(method[2] ?? "", request);
      case "getFile":
        return toResult({ file_id: query.get("file_id"), file_path: "voice/file_7.oga" });
      case "deleteWebhook":
      case "setWebhook":
      case "sendChatAction":
      case "answerCallbackQuery":
        return toResult(true);
      default:
        return { status: 404, json: { ok: false, error_code: 404, description: "Not Found" } };
    }
  };
  const server = await startStubServer({ handle });
  return {
    server,
    texts: () => [...posted.values()],
    files: () => files,
    calls: (method) => server.requests.filter(({ path }) => path.endsWith(`/${method}`)),
    add: (update) => {
      const whole = { update_id: (updateId += 1), ...update };
      updates.push(whole);
      wake();
      return whole;
    },
    pending: () => updates.length,
    [Symbol.asyncDispose]: () => {
      wake();
      return server[Symbol.asyncDispose]();
    },
  };
}

function toResult(result: unknown): StubAnswer {
  return { json: { ok: true, result } };
}

function toError(description: string): StubAnswer {
  return {
    status: 400,
    json: { ok: false, error_code: 400, description: `Bad Request: ${description}` },
  };
}

let messageIds = 1;

/** A text in a private chat, unless `more` says otherwise. */
export function telegramMessage(
  text: string,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    message: {
      message_id: (messageIds += 1),
      from: { id: 77, is_bot: false, first_name: "Ada" },
      chat: { id: 77, type: "private", first_name: "Ada" },
      date: 1_700_000_000,
      text,
      ...more,
    },
  };
}
