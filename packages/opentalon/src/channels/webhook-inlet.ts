import { ChannelError, toMessage } from "../base/errors.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  type HttpRoute,
  toJsonAnswer,
} from "../base/http-route.ts";
import { parseJsonDocument } from "./message-document.ts";

/** Takes one request meant for one channel. Never rejects for what the sender did wrong. */
export type WebhookReceiver = (request: HttpRequest) => Promise<HttpAnswer>;

/** Where the HTTP door meets webhook channels: one set of routes, which finds the channel a request is for. */
export interface WebhookInlet {
  readonly routes: readonly HttpRoute[];
  /** Connects a channel by its instance name; the returned function disconnects it. */
  readonly connect: (channel: string, receive: WebhookReceiver) => () => void;
}

/**
 * Room for files. Only where the address names the channel: elsewhere a body is read as JSON before anybody knows who
 * sent it.
 */
const maxFilesBodyBytes = 16 * 1024 * 1024;

export function createWebhookInlet(): WebhookInlet {
  const receivers = new Map<string, WebhookReceiver>();

  const pass = async (channel: string, request: HttpRequest): Promise<HttpAnswer> => {
    const receive = receivers.get(channel);
    if (receive === undefined) return toJsonAnswer(404, { error: "there is no such channel" });
    return receive(request);
  };

  return {
    routes: [
      {
        method: "POST",
        path: "/api/channels/:channel/inbound",
        authentication: "own",
        maxBodyBytes: maxFilesBodyBytes,
        handle: (request) => pass(request.parameters["channel"] ?? "", request),
      },
      {
        method: "POST",
        path: "/api/channels/inbound",
        authentication: "own",
        handle: async (request) => {
          try {
            return await pass(request.query("channel") ?? readChannel(request.body), request);
          } catch (error) {
            if (error instanceof ChannelError)
              return toJsonAnswer(400, { error: toMessage(error) });
            throw error;
          }
        },
      },
    ],
    connect: (channel, receive) => {
      receivers.set(channel, receive);
      return () => {
        if (receivers.get(channel) === receive) receivers.delete(channel);
      };
    },
  };
}

/** Read before the signature is checked, because it tells whose secret counts. */
function readChannel(body: Uint8Array): string {
  const document = parseJsonDocument(body) as { channel_id?: unknown } | null;
  const channel = document?.channel_id;
  if (typeof channel === "string" && channel !== "") return channel;
  throw new ChannelError(
    "CHANNEL_REFUSED",
    "`channel_id` must name a channel; or post to /api/channels/<channel>/inbound",
  );
}
