import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { GatewayCloseCodes, GatewayOpcodes } from "@discordjs/core/http-only";
import {
  acceptWebSocket,
  type WebSocketPeer,
} from "../../../../packages/opentalon/src/channels/yaml/testing/websocket-peer.ts";

/** Discord's gateway for one bot: sessions that can be taken up again, with every event since they began. */
export interface StubGateway {
  readonly url: () => string;
  readonly listenAt: (url: string) => void;
  readonly accept: (request: IncomingMessage, socket: Socket) => void;
  /** To the newest session, now or when it is taken up again. */
  readonly dispatch: (type: string, data: object) => void;
  /** Connections that are open now. */
  readonly openCount: () => number;
  /** Resolves while a session is connected. */
  readonly connected: () => Promise<void>;
  /** Sessions that were begun, and taken up again. */
  readonly identifies: () => number;
  readonly resumes: () => number;
  readonly heartbeats: () => number;
  /** Cuts connections without a word. */
  readonly drop: () => void;
  /** Closes connections with a code. */
  readonly close: (code: number) => void;
  readonly sendOp: (op: GatewayOpcodes, data?: unknown) => void;
  /** No session can be taken up again. */
  readonly forgetSessions: () => void;
  /** Who identifies is closed out with this code; `undefined` lets them in. */
  readonly refuseWith: (code: GatewayCloseCodes | undefined) => void;
  /** Heartbeats are answered, or not. */
  readonly setAlive: (isAlive: boolean) => void;
  readonly setHeartbeatInterval: (intervalMs: number) => void;
}

export interface StubGatewayOptions {
  readonly token: string;
  /** A session has begun and knows it. */
  readonly onIdentify: () => void;
}

interface Session {
  readonly id: string;
  readonly events: { readonly s: number; readonly t: string; readonly d: object }[];
  peer: WebSocketPeer | undefined;
}

interface Frame {
  readonly op: GatewayOpcodes;
  readonly d: { readonly token?: string; readonly session_id?: string; readonly seq?: number };
}

export function createStubGateway({ token, onIdentify }: StubGatewayOptions): StubGateway {
  const sessions = new Map<string, Session>();
  const peers = new Set<WebSocketPeer>();
  let url = "";
  let newest: Session | undefined;
  let refusal: GatewayCloseCodes | undefined;
  let isAlive = true;
  let intervalMs = 41_250;
  let waiting: (() => void)[] = [];
  const counts = { identifies: 0, resumes: 0, heartbeats: 0 };

  const dispatchTo = (session: Session, t: string, d: object): void => {
    const event = { s: session.events.length + 1, t, d };
    session.events.push(event);
    session.peer?.sendText(JSON.stringify({ op: GatewayOpcodes.Dispatch, ...event }));
  };

  const tell = (): void => {
    for (const resolve of waiting) resolve();
    waiting = [];
  };

  const identify = (peer: WebSocketPeer): void => {
    counts.identifies += 1;
    if (refusal !== undefined) return peer.close(refusal);
    const session: Session = { id: randomBytes(16).toString("hex"), events: [], peer };
    sessions.set(session.id, session);
    newest = session;
    dispatchTo(session, "READY", {
      v: 10,
      user: { id: "900000000000000001", username: "talon", bot: true },
      session_id: session.id,
      resume_gateway_url: url,
      guilds: [],
      application: { id: "900000000000000009", flags: 0 },
    });
    onIdentify();
    tell();
  };

  const resume = (peer: WebSocketPeer, { session_id: id = "", seq = 0 }: Frame["d"]): void => {
    const session = sessions.get(id);
    if (session === undefined)
      return peer.sendText(JSON.stringify({ op: GatewayOpcodes.InvalidSession, d: false }));
    counts.resumes += 1;
    session.peer = peer;
    newest = session;
    for (const event of session.events.filter(({ s }) => s > seq))
      peer.sendText(JSON.stringify({ op: GatewayOpcodes.Dispatch, ...event }));
    dispatchTo(session, "RESUMED", {});
    tell();
  };

  return {
    url: () => url,
    listenAt: (next) => {
      url = next;
    },
    accept: (request, socket) => {
      const peer = acceptWebSocket(request, socket, (text) => {
        const { op, d } = JSON.parse(text) as Frame;
        if (op === GatewayOpcodes.Heartbeat) {
          counts.heartbeats += 1;
          if (isAlive) peer.sendText(JSON.stringify({ op: GatewayOpcodes.HeartbeatAck }));
          return;
        }
        if (d.token !== token) return peer.close(GatewayCloseCodes.AuthenticationFailed);
        if (op === GatewayOpcodes.Identify) identify(peer);
        if (op === GatewayOpcodes.Resume) resume(peer, d);
      });
      peers.add(peer);
      socket.once("close", () => {
        peers.delete(peer);
        for (const session of sessions.values())
          if (session.peer === peer) session.peer = undefined;
      });
      const hello = { op: GatewayOpcodes.Hello, d: { heartbeat_interval: intervalMs } };
      peer.sendText(JSON.stringify(hello));
    },
    dispatch: (type, data) => {
      if (newest !== undefined) dispatchTo(newest, type, data);
    },
    openCount: () => peers.size,
    connected: () =>
      new Promise((resolve) => {
        if (newest?.peer === undefined) waiting.push(resolve);
        else resolve();
      }),
    identifies: () => counts.identifies,
    resumes: () => counts.resumes,
    heartbeats: () => counts.heartbeats,
    drop: () => {
      for (const peer of peers) peer.drop();
    },
    close: (code) => {
      for (const peer of peers) peer.close(code);
    },
    sendOp: (op, data = null) => {
      for (const peer of peers) peer.sendText(JSON.stringify({ op, d: data }));
    },
    forgetSessions: () => {
      sessions.clear();
      newest = undefined;
    },
    refuseWith: (code) => {
      refusal = code;
    },
    setAlive: (next) => {
      isAlive = next;
    },
    setHeartbeatInterval: (next) => {
      intervalMs = next;
    },
  };
}
