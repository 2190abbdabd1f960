import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type HttpAnswer, type HttpRoute, toJsonAnswer } from "../../base/http-route.ts";
import type { SocketRequest, SocketRoute, VisitorSocket } from "../../base/socket-route.ts";

export interface ChatReceiver {
  /** Shown on the page. */
  readonly title: string;
  /** Origins of other pages that may connect. */
  readonly origins: ReadonlySet<string>;
  readonly open: (socket: VisitorSocket, request: SocketRequest) => void;
}

/** Where the HTTP door meets web chats: the page, and the socket behind it. */
export interface ChatInlet {
  readonly routes: readonly HttpRoute[];
  readonly socketRoute: SocketRoute;
  /** Connects a channel by its instance name; the returned function disconnects it. */
  readonly connect: (channel: string, receiver: ChatReceiver) => () => void;
}

/** A file of 8 MiB in base64, and what stands around it. */
const maxMessageBytes = 12 * 1024 * 1024;

export function createChatInlet(): ChatInlet {
  const receivers = new Map<string, ChatReceiver>();
  let page: Promise<Page> | undefined;

  const toPage = async (channel: string, host: string | undefined): Promise<HttpAnswer> => {
    const receiver = receivers.get(channel);
    if (receiver === undefined) return toJsonAnswer(404, { error: "there is no such chat" });
    const { html, hashes } = await (page ??= readPage());
    return {
      status: 200,
      contentType: "text/html; charset=utf-8",
      headers: {
        "Content-Security-Policy": toPolicy(hashes, host),
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
      },
      body: html.replaceAll("{{title}}", () => escapeHtml(receiver.title)),
    };
  };

  return {
    routes: [
      {
        method: "GET",
        path: "/chat/:channel/",
        authentication: "own",
        handle: ({ parameters, header }) => toPage(parameters["channel"] ?? "", header("host")),
      },
      {
        method: "GET",
        path: "/chat/:channel",
        authentication: "own",
        handle: async ({ parameters }) => {
          const to = `/chat/${encodeURIComponent(parameters["channel"] ?? "")}/`;
          return toJsonAnswer(308, { location: to }, { Location: to });
        },
      },
    ],
    socketRoute: {
      path: "/chat/:channel/socket",
      maxMessageBytes,
      findRefusal: ({ parameters, origin, isSameOrigin }) => {
        const receiver = receivers.get(parameters["channel"] ?? "");
        if (receiver === undefined) return "there is no such chat";
        if (origin === undefined || isSameOrigin || receiver.origins.has(origin)) return undefined;
        return "pages of other origins may not connect; see config.origins";
      },
      open: (socket, request) => {
        const receiver = receivers.get(request.parameters["channel"] ?? "");
        if (receiver === undefined) socket.close(1001, "the chat is gone");
        else receiver.open(socket, request);
      },
    },
    connect: (channel, receiver) => {
      receivers.set(channel, receiver);
      return () => {
        if (receivers.get(channel) === receiver) receivers.delete(channel);
      };
    },
  };
}

interface Page {
  readonly html: string;
  /** Digests of its script and its style, as a policy names them. */
  readonly hashes: { readonly script: string; readonly style: string };
}

async function readPage(): Promise<Page> {
  const html = await readFile(new URL("./chat-page.html", import.meta.url), "utf8");
  const digest = (element: string): string => {
    const text = new RegExp(`<${element}>([^]*?)</${element}>`).exec(html)?.[1] ?? "";
    return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  };
  return { html, hashes: { script: digest("script"), style: digest("style") } };
}

/** Nothing but what stands in the page, and a connection to where it came from. */
function toPolicy({ script, style }: Page["hashes"], host: string | undefined): string {
  // Older browsers do not count a WebSocket as `'self'`.
  const isPlain = /^[\w.[\]:-]+$/.test(host ?? "");
  const sockets = isPlain ? ` ws://${host} wss://${host}` : "";
  return [
    "default-src 'none'",
    `script-src ${script}`,
    `style-src ${style}`,
    `connect-src 'self'${sockets}`,
    "img-src blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot" };
  return text.replaceAll(/[&<>"]/g, (character) => `&${names[character]};`);
}
