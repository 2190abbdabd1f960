import type { MessageSocket } from "./message-socket.ts";

/** The request by which a client asks for a WebSocket. */
export interface SocketRequest {
  /** Values of the `:names` in the route's path, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  /** First value of a query parameter. */
  readonly query: (name: string) => string | undefined;
  /** Origin of the page that asks; `undefined` when it is no browser. */
  readonly origin: string | undefined;
  /** Whether the page that asks came from this door, by the name both use for it. */
  readonly isSameOrigin: boolean;
  /** The door knows the caller, see `HttpRequest.isTrusted`. */
  readonly isTrusted: boolean;
}

/** A connection at the door. */
export interface VisitorSocket extends MessageSocket {
  /**
   * Says that the visitor proved who it is. Until then it may send a few kilobytes only, and is cut after some
   * seconds.
   */
  readonly welcome: () => void;
}

/** WebSockets the HTTP door takes for others: how stages offer them without knowing a library. */
export interface SocketRoute {
  /** Fixed segments and `:names`, each name one segment. */
  readonly path: string;
  /** Bytes of one message, once the visitor is welcome. */
  readonly maxMessageBytes: number;
  /** Why this client gets no connection, in words for it; `undefined` when it does. */
  readonly findRefusal?: (request: SocketRequest) => string | undefined;
  /** Takes an open connection. Must not throw. */
  readonly open: (socket: VisitorSocket, request: SocketRequest) => void;
}
