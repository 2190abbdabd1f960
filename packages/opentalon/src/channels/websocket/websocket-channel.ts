/**
 * A platform at the other end of a WebSocket: we dial it, or it dials our HTTP door. The same frames travel either way;
 * what was not acknowledged when the connection broke is sent again over the next one.
 */
import type { Clock } from "../../base/clock.ts";
import { isEqualText } from "../../base/equal-text.ts";
import type { Log } from "../../base/log.ts";
import { isLoopbackUrl } from "../../base/loopback-url.ts";
import type { MessageSocket } from "../../base/message-socket.ts";
import { redactSecrets, type Secret } from "../../base/secret.ts";
import { type Channel, type ChannelHost, plainCapabilities } from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import type { Turn } from "../../domain/turn.ts";
import { createLiveText, type LiveStep } from "../live-text.ts";
import { toOutboundDocument } from "../message-document.ts";
import { misconfigured, readSecret, readSetting, readTexts } from "../read-setting.ts";
import type { PeerFrame } from "./frames.ts";
import { readFrames } from "./incoming.ts";
import { keepDialling } from "./keep-dialling.ts";
import { createOutgoing, type Peer } from "./outgoing.ts";
import type { SocketInlet } from "./socket-inlet.ts";

export interface WebSocketChannelOptions {
  /** Instance name: the key under `channels:`. */
  readonly name: string;
  /** What we dial; absent when the other side dials us. */
  readonly url?: URL | undefined;
  /** The entry's `config`: `token` (or `api_key`), `acks`, `origins`, `kind`, `max_message_length`, `response_format`, `response_format_prompt`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly inlet: SocketInlet;
  /** Whether the HTTP door knows its callers by other means than the channel's token. */
  readonly doorChecksCallers: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Answers in the making are left out for a peer that has not read so much. */
const maxLiveBytes = 262_144;

/** How long one that we dialled has to say what it can do before it is sent to as one that says nothing. */
const introductionMs = 1_000;

interface Abilities {
  acks: boolean;
  live: boolean;
}

/** @throws ChannelError CHANNEL_MISCONFIGURED when a setting has the wrong form, or nothing would check who dials. */
export function createWebSocketChannel(options: WebSocketChannelOptions): Channel {
  const { name, url, config, inlet, doorChecksCallers, clock, log } = options;
  const kind = readSetting(config, "kind", "string") ?? "websocket";
  const requiresAcks = readSetting(config, "acks", "boolean") ?? false;
  const origins = new Set(readTexts(config, "origins"));
  const token = readSecret(name, config, "token", "api_key");
  const capabilities = {
    ...plainCapabilities,
    threads: true,
    files: true,
    maxMessageLength: readSetting(config, "max_message_length", "number") ?? 0,
    responseFormat: readSetting(config, "response_format", "string") ?? "",
    responseFormatPrompt: readSetting(config, "response_format_prompt", "string") ?? "",
  };
  if (url === undefined && token === undefined && !doorChecksCallers) {
    throw misconfigured(
      `channel ${name} has no token and the HTTP door is open to other machines: set config.token`,
    );
  }
  const outgoing = createOutgoing({ clock, log });
  const stopping = new AbortController();
  let host: ChannelHost | undefined;
  let current: { peer: Peer; abilities: Abilities } | undefined;
  let isDisposed = false;
  /** Why the other side is not there; one that dials us may come whenever it likes. */
  let problem = url === undefined ? undefined : "it is not connected yet";

  const end = (peer: Peer, code: number, reason: string): void => {
    outgoing.detach(peer);
    if (current?.peer === peer) current = undefined;
    peer.socket.close(code, reason);
  };

  /** From now on this socket is the channel's one peer. The returned function begins to send to it. */
  const join = (socket: MessageSocket, abilities: Abilities): ((last: string) => void) => {
    if (current !== undefined) end(current.peer, 4409, "the channel is connected anew");
    const peer: Peer = {
      socket,
      get acks() {
        return abilities.acks;
      },
    };
    current = { peer, abilities };
    const begin = (last: string): void => {
      if (current?.peer !== peer) return;
      if (last !== "") outgoing.acknowledgeUpTo(last);
      outgoing.attach(peer);
    };
    socket.onClose(() => {
      outgoing.detach(peer);
      if (current?.peer === peer) current = undefined;
    });
    readFrames({
      socket,
      channelKind: kind,
      host: () => (abilities.acks || !requiresAcks ? host : undefined),
      onFrame: (frame) => receive(peer, abilities, frame, begin),
      clock,
    });
    return begin;
  };

  const receive = (
    peer: Peer,
    abilities: Abilities,
    frame: Exclude<PeerFrame, { kind: "message" }>,
    begin: (last: string) => void,
  ): void => {
    switch (frame.kind) {
      case "ack":
        outgoing.acknowledge(frame.id);
        return;
      case "resume":
        outgoing.acknowledgeUpTo(frame.last);
        return;
      case "identify":
        if (requiresAcks && !frame.acks) return end(peer, 4400, needsAcks);
        abilities.acks = frame.acks;
        abilities.live = frame.live;
        return begin(frame.last);
      case "other":
    }
  };

  const dialled = async (socket: MessageSocket): Promise<void> => {
    const who = { type: "identify", id: name, token: token?.reveal(), acks: true };
    // A connection that breaks right away ends by its close.
    socket.send(JSON.stringify(who)).catch(() => {});
    const abilities = { acks: false, live: false };
    const begin = join(socket, abilities);
    const cancel = clock.after(introductionMs, () => {
      if (!requiresAcks && !abilities.acks) begin("");
    });
    socket.onClose(cancel);
    await new Promise<void>((resolve) => {
      socket.onClose(() => resolve());
    });
  };

  const disconnect =
    url === undefined
      ? inlet.connect(name, {
          admits: ({ token: given }, { isTrusted, isSameOrigin, origin }) => {
            const isFromPage = origin !== undefined && !isSameOrigin && !origins.has(origin);
            if (token === undefined) return isTrusted && (!isFromPage || isLoopbackUrl(origin));
            return isEqualText(given, token.reveal()) && !isFromPage;
          },
          take: (socket, identify) => {
            const { acks, live, last } = identify;
            if (isDisposed || (requiresAcks && !acks)) {
              socket.close(isDisposed ? 1001 : 4400, isDisposed ? "stopping" : needsAcks);
              return;
            }
            if (acks || live) {
              socket.send(JSON.stringify({ type: "identified", id: name })).catch(() => {});
            }
            log.info({ acks, live }, "a peer identified itself");
            join(socket, { acks, live })(last);
          },
        })
      : (): void => {};

  const live = createLiveText({
    clock,
    show: (turn, step) => {
      if (current?.abilities.live !== true) return false;
      const { socket } = current.peer;
      if (socket.bufferedBytes() > maxLiveBytes) return false;
      socket.send(toLiveFrame(turn, step)).catch(() => {});
      return true;
    },
  });

  return {
    name,
    kind,
    capabilities: () => capabilities,
    ...(requiresAcks ? { knowsRepeats: true } : {}),
    start: async (channelHost) => {
      host = channelHost;
      if (url === undefined) return;
      warnOfPlainToken(url, token, log);
      keepDialling({
        url,
        headers: toHeaders(token),
        onOpen: dialled,
        onProblem: (found) => {
          problem = found;
        },
        signal: stopping.signal,
        clock,
        log,
      });
    },
    stopIntake: async () => {
      host = undefined;
    },
    send: (message, deliveryId) =>
      outgoing.send(deliveryId, toMessageFrame(message, deliveryId, current?.abilities)),
    show: live.take,
    findProblem: () => problem,
    [Symbol.asyncDispose]: async () => {
      isDisposed = true;
      host = undefined;
      disconnect();
      stopping.abort();
      live.close();
      outgoing.close();
      const last = current?.peer;
      if (last === undefined) return;
      end(last, 1001, "OpenTalon is stopping");
      await new Promise<void>((resolve) => {
        last.socket.onClose(() => resolve());
      });
    },
  };
}

const needsAcks = "this channel needs a peer that acknowledges: identify with acks true";

/** A bare message, so that peers understand it that know nothing of frames; `done` closes what was shown live. */
function toMessageFrame(
  message: OutboundMessage,
  deliveryId: string,
  abilities: Abilities | undefined,
): string {
  const members = JSON.stringify({
    type: "message",
    delivery_id: deliveryId,
    ...(abilities?.live === true ? { streaming: false, done: true } : {}),
  });
  return `${members.slice(0, -1)},${toOutboundDocument(message).slice(1)}`;
}

function toLiveFrame({ message }: Turn, step: LiveStep): string {
  const { conversationId, threadId, platformMessageId } = message;
  const about = {
    conversation_id: conversationId,
    thread_id: threadId,
    in_reply_to: platformMessageId,
  };
  switch (step.kind) {
    case "text":
      return JSON.stringify({ type: "delta", ...about, content: step.text, streaming: true });
    case "reset":
      return JSON.stringify({ type: "reset", ...about });
    case "tool":
      return JSON.stringify({ type: "status", ...about, tool: step.tool });
    case "finished":
      return JSON.stringify({ type: "done", ...about });
  }
}

function toHeaders(token: Secret | undefined): Readonly<Record<string, string>> {
  const agent = { "User-Agent": "opentalon" };
  return token === undefined ? agent : { ...agent, Authorization: `Bearer ${token.reveal()}` };
}

function warnOfPlainToken(url: URL, token: Secret | undefined, log: Log): void {
  if (token === undefined || url.protocol === "wss:" || isLoopbackUrl(url.href)) return;
  log.warn({ host: redactSecrets(url.host) }, "a token travels unencrypted over ws://; use wss://");
}
