/**
 * The other side of a WebSocket channel as a program of its own, so that it can be killed: dials the core's door, sends
 * messages at a steady rate, and writes what happened into a journal before it tells the core, so that the next run goes
 * on where this one ended.
 *
 * `node socket-peer-program.ts <JSON of SocketPeerSettings>`
 */
import { createPeerJournal, type PeerSettings } from "./peer-journal.ts";

interface SocketPeerSettings extends PeerSettings {
  readonly url: string;
  readonly channel: string;
  readonly token: string;
}

interface CoreFrame {
  readonly type?: string;
  readonly id?: string;
  readonly delivery_id?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

function run(settings: SocketPeerSettings): void {
  const { url, channel, token, journal, intervalMs } = settings;
  const notes = createPeerJournal(journal);
  const sent = new Set<string>();

  const connect = (): void => {
    const socket = new WebSocket(url);
    sent.clear();
    let timer: NodeJS.Timeout | undefined;
    const sendNext = (): void => {
      const next = notes.findUnheard(settings, sent);
      if (next === undefined) return;
      sent.add(next.id);
      const said = { id: next.id, conversation_id: next.conversation, sender_id: "ann" };
      socket.send(JSON.stringify({ ...said, content: next.id }));
    };
    const take = (frame: CoreFrame): void => {
      const { id = "", delivery_id: deliveryId = "" } = frame;
      switch (frame.type) {
        case "identified":
          timer = setInterval(sendNext, intervalMs);
          return;
        case "ack":
          notes.note({ kind: "acked", id });
          return;
        case "error":
          sent.delete(id);
          return;
        case "message": {
          const inReplyTo = frame.metadata?.["in_reply_to"] ?? "";
          notes.note({ kind: "reply", deliveryId, inReplyTo });
          socket.send(JSON.stringify({ type: "ack", id: deliveryId }));
          return;
        }
        default:
      }
    };
    socket.addEventListener("open", () =>
      socket.send(
        JSON.stringify({ type: "identify", id: channel, token, acks: true, last: notes.last() }),
      ),
    );
    socket.addEventListener("message", ({ data }) => take(JSON.parse(String(data)) as CoreFrame));
    socket.addEventListener("close", () => {
      clearInterval(timer);
      setTimeout(connect, 50);
    });
  };
  connect();
}

run(JSON.parse(process.argv[2] ?? "{}") as SocketPeerSettings);
