import type { SocketRequest, SocketRoute, VisitorSocket } from "../../base/socket-route.ts";
import { parseFrame, type IdentifyFrame } from "./frames.ts";

/** What a channel decides about somebody who dialled and named it. */
export interface SocketReceiver {
  /** Whether it is who it says. */
  readonly admits: (identify: IdentifyFrame, request: SocketRequest) => boolean;
  /** Takes an admitted peer. */
  readonly take: (socket: VisitorSocket, identify: IdentifyFrame) => void;
}

/** Where the HTTP door meets channels whose other side dials us. */
export interface SocketInlet {
  readonly route: SocketRoute;
  /** Connects a channel by its instance name; the returned function disconnects it. */
  readonly connect: (channel: string, receiver: SocketReceiver) => () => void;
}

/** Bytes of one frame: 24 MiB of files in base64. */
export const maxFrameBytes = 32 * 1024 * 1024;

export function createSocketInlet(): SocketInlet {
  const receivers = new Map<string, SocketReceiver>();

  const greet = (socket: VisitorSocket, request: SocketRequest): void => {
    socket.onMessage((text) => {
      // What comes behind it waits for the one who takes over.
      socket.onMessage(() => {});
      const identify = readIdentify(text);
      if (identify === undefined) {
        const error = 'the first frame must be {"type":"identify","id":"<channel>","token":"…"}';
        socket.send(JSON.stringify({ type: "error", id: "", error })).catch(() => {});
        socket.close(4400, "identify first");
        return;
      }
      const receiver = receivers.get(identify.id);
      // The same words for both, so that nobody learns which channels there are.
      if (receiver === undefined || !receiver.admits(identify, request)) {
        const error = "there is no such channel, or the token is not its token";
        socket.send(JSON.stringify({ type: "error", id: identify.id, error })).catch(() => {});
        socket.close(4401, "unknown channel or token");
        return;
      }
      socket.welcome();
      receiver.take(socket, identify);
    });
  };

  return {
    route: { path: "/api/channels/ws", maxMessageBytes: maxFrameBytes, open: greet },
    connect: (channel, receiver) => {
      receivers.set(channel, receiver);
      return () => {
        if (receivers.get(channel) === receiver) receivers.delete(channel);
      };
    },
  };
}

function readIdentify(text: string): IdentifyFrame | undefined {
  try {
    const frame = parseFrame(text);
    return frame.kind === "identify" ? frame : undefined;
  } catch {
    return undefined;
  }
}
