import { Agent, createServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** A reply as it arrived at the platform. */
export interface ArrivedReply {
  readonly deliveryId: string;
  readonly conversationId: string;
  readonly content: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly signature: string;
  /** Body as it came. */
  readonly text: string;
  readonly atMs: number;
}

/** The platform's side of a webhook channel: posts messages to the core and receives its replies. */
export interface WebhookPeer extends AsyncDisposable {
  /** Where the core is to post replies. */
  readonly url: string;
  readonly arrived: readonly ArrivedReply[];
  /** Called for each reply, as it arrives. */
  readonly onArrival: (listener: (reply: ArrivedReply) => void) => void;
  /** Posts one message; resolves with the HTTP status, 0 when the core cannot be reached. */
  readonly post: (message: PostedMessage) => Promise<number>;
}

export interface PostedMessage {
  readonly id: string;
  readonly conversation: string;
  readonly content: string;
  readonly sender?: string;
  readonly files?: readonly PostedFile[];
}

export interface PostedFile {
  readonly name: string;
  readonly mime_type: string;
  /** Base64. */
  readonly data: string;
}

export interface WebhookPeerOptions {
  /** Name of the channel in the configuration. */
  readonly channel: string;
  /** `host:port` of the core's HTTP door; asked anew for each message, since a restart may change it. */
  readonly door: () => string;
}

export async function createWebhookPeer({
  channel,
  door,
}: WebhookPeerOptions): Promise<WebhookPeer> {
  const arrived: ArrivedReply[] = [];
  const listeners: ((reply: ArrivedReply) => void)[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const server = createServer((request, response) => {
    void readText(request).then((text) => {
      const body = JSON.parse(text) as {
        conversation_id: string;
        content: string;
        metadata?: Record<string, string>;
      };
      const reply = {
        deliveryId: String(request.headers["idempotency-key"]),
        conversationId: body.conversation_id,
        content: body.content,
        metadata: body.metadata ?? {},
        signature: String(request.headers["x-opentalon-signature"] ?? ""),
        text,
        atMs: performance.now(),
      };
      arrived.push(reply);
      response.writeHead(200, { "content-length": "0" }).end();
      for (const listener of listeners) listener(reply);
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/out`,
    arrived,
    onArrival: (listener) => void listeners.push(listener),
    post: ({ id, conversation, content, sender = "ann", files }) =>
      new Promise((resolve) => {
        const body = JSON.stringify({
          id,
          conversation_id: conversation,
          sender_id: sender,
          content,
          files,
        });
        const url = `http://${door()}/api/channels/${channel}/inbound`;
        const headers = {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        };
        const sending = httpRequest(url, { method: "POST", agent, headers }, (response) => {
          response.resume();
          response.once("end", () => resolve(response.statusCode ?? 0));
          response.once("error", () => resolve(0));
        });
        sending.once("error", () => resolve(0));
        sending.end(body);
      }),
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function readText(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.once("end", () => resolve(Buffer.concat(parts).toString("utf8")));
    request.once("error", reject);
  });
}
