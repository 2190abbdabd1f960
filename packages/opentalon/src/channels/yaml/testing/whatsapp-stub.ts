import { createHmac } from "node:crypto";
import { type PostedFile, readForm } from "./posted-file.ts";
import {
  startStubServer,
  type StubAnswer,
  type StubRequest,
  type StubServer,
} from "./stub-server.ts";

/** The Graph API for one WhatsApp number. */
export interface WhatsAppStub extends AsyncDisposable {
  readonly server: StubServer;
  readonly apiUrl: string;
  readonly texts: () => readonly string[];
  readonly files: () => readonly PostedFile[];
  /** Bodies of all messages that were sent, typing signs included. */
  readonly sent: () => readonly StubRequest["json"][];
}

export const whatsAppApp = {
  config: {
    access_token: "EAAsecret-access-token",
    phone_number_id: "10555000",
    app_secret: "app-secret",
    verify_token: "verify-token",
  },
} as const;

export async function startWhatsAppStub(): Promise<WhatsAppStub> {
  const { config } = whatsAppApp;
  const sent: StubRequest["json"][] = [];
  const texts: string[] = [];
  const files: PostedFile[] = [];
  const media = new Map<string, NonNullable<Awaited<ReturnType<typeof readForm>>["file"]>>();
  let count = 0;

  const takeMedia = async (request: StubRequest): Promise<StubAnswer> => {
    const { fields, file } = await readForm(request);
    if (fields["messaging_product"] !== "whatsapp" || file === undefined)
      return { status: 400, json: { error: { message: "(#100) Invalid parameter", code: 100 } } };
    const id = `media${media.size + 1}`;
    media.set(id, file);
    return { json: { id } };
  };
  /** A message with a file, `undefined` when the message has none. */
  const takeFile = (json: StubRequest["json"]): StubAnswer | undefined => {
    const kind = String(json["type"]);
    if (!["image", "audio", "video", "document"].includes(kind)) return undefined;
    const { id = "", caption, ...fields } = json[kind] as Record<string, string>;
    const file = media.get(id);
    const isWrong =
      file === undefined || caption === "" || (kind === "audio" && caption !== undefined);
    if (isWrong) return { status: 400, json: { error: { message: "(#100) Invalid parameter" } } };
    files.push({ ...file, kind, caption: caption ?? "", fields });
    return undefined;
  };

  const handle = (request: StubRequest): StubAnswer | Promise<StubAnswer> => {
    const { path, json, headers } = request;
    if (headers.authorization !== `Bearer ${config.access_token}`) {
      return {
        status: 401,
        json: { error: { message: "Invalid OAuth access token.", code: 190 } },
      };
    }
    if (path === `/v23.0/${config.phone_number_id}/messages`) {
      sent.push(json);
      if (json["status"] === "read") return { json: { success: true } };
      const refused = takeFile(json);
      if (refused !== undefined) return refused;
      const { body } = (json["text"] ?? {}) as { body?: string };
      if (body !== undefined) texts.push(body);
      return {
        json: { messaging_product: "whatsapp", messages: [{ id: `wamid.OUT${(count += 1)}` }] },
      };
    }
    if (path === `/v23.0/${config.phone_number_id}/media`) return takeMedia(request);
    if (path.startsWith("/v23.0/media-")) {
      return {
        json: { url: `${server.url}/attachments?mid=1`, mime_type: "audio/ogg; codecs=opus" },
      };
    }
    if (path === "/attachments")
      return { body: "OggS-voice", headers: { "Content-Type": "audio/ogg" } };
    return { status: 404, json: { error: { message: "Unsupported request" } } };
  };
  const server = await startStubServer({ handle });
  return {
    server,
    apiUrl: `${server.url}/v23.0`,
    texts: () => texts,
    files: () => files,
    sent: () => sent,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

let count = 0;

export function whatsAppText(
  text: string,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    from: "4915112345678",
    id: `wamid.IN${(count += 1)}`,
    timestamp: "1700000000",
    type: "text",
    text: { body: text },
    ...more,
  };
}

/** A call of Meta's with the given messages, signed. */
export function whatsAppCall(...messages: readonly unknown[]): {
  body: string;
  headers: Record<string, string>;
} {
  const value = {
    messaging_product: "whatsapp",
    metadata: {
      display_phone_number: "15550000",
      phone_number_id: whatsAppApp.config.phone_number_id,
    },
    contacts: [{ profile: { name: "Ada" }, wa_id: "4915112345678" }],
    messages,
  };
  const body = JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: "1", changes: [{ field: "messages", value }] }],
  });
  const signature = createHmac("sha256", whatsAppApp.config.app_secret).update(body).digest("hex");
  return { body, headers: { "x-hub-signature-256": `sha256=${signature}` } };
}
