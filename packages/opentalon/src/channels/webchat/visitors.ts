import type { MessageSocket } from "../../base/message-socket.ts";

type Frame = Readonly<Record<string, unknown>>;

/** The open pages, by conversation. */
export interface Visitors {
  readonly join: (conversation: string, socket: MessageSocket) => void;
  /** Sends to all pages of a conversation; one that reads too slowly is disconnected and asks for the rest when it comes back. */
  readonly tell: (conversation: string, frame: Frame) => void;
  /** Shows what does not last; false when nobody sees it, or somebody would miss a piece. */
  readonly showLive: (conversation: string, frame: Frame) => boolean;
  /** Resolves when all connections have ended. */
  readonly close: () => Promise<void>;
}

/** Pages of one conversation at once; the oldest makes room. */
const maxPages = 8;
const maxBufferedBytes = 16 * 1024 * 1024;
const maxLiveBytes = 262_144;

export function createVisitors(): Visitors {
  const rooms = new Map<string, Set<MessageSocket>>();

  const leave = (conversation: string, socket: MessageSocket): void => {
    const room = rooms.get(conversation);
    room?.delete(socket);
    if (room?.size === 0) rooms.delete(conversation);
  };
  const dismiss = (
    conversation: string,
    socket: MessageSocket,
    code: number,
    why: string,
  ): void => {
    socket.close(code, why);
    leave(conversation, socket);
  };

  return {
    join: (conversation, socket) => {
      const room = rooms.get(conversation) ?? new Set();
      const [oldest] = room;
      if (room.size >= maxPages && oldest !== undefined) {
        dismiss(conversation, oldest, 4409, "open in too many windows");
      }
      rooms.set(conversation, room.add(socket));
      socket.onClose(() => leave(conversation, socket));
    },
    tell: (conversation, frame) => {
      const text = JSON.stringify(frame);
      for (const socket of rooms.get(conversation) ?? []) {
        const waitingBytes = socket.bufferedBytes();
        if (waitingBytes > 0 && waitingBytes + text.length > maxBufferedBytes) {
          dismiss(conversation, socket, 1013, "too slow");
        } else socket.send(text).catch(() => {});
      }
    },
    showLive: (conversation, frame) => {
      const room = rooms.get(conversation);
      if (room === undefined) return false;
      if ([...room].some((socket) => socket.bufferedBytes() > maxLiveBytes)) return false;
      const text = JSON.stringify(frame);
      for (const socket of room) socket.send(text).catch(() => {});
      return true;
    },
    close: async () => {
      const sockets = [...rooms.values()].flatMap((room) => [...room]);
      rooms.clear();
      const ended = sockets.map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.onClose(() => resolve());
            socket.close(1001, "OpenTalon is stopping");
          }),
      );
      await Promise.all(ended);
    },
  };
}
