/**
 * The other side of a WebSocket channel as a program of its own, so that it can be killed: dials the core's door, sends
 * messages at a steady rate, and writes what happened into a journal before it tells the core, so that the next run goes
 * on where this one ended.
 *
 * `node socket-peer-program.ts <JSON of SocketPeerSettings>`
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";

export interface SocketPeerSettings {
  readonly url: string;
  readonly channel: string;
  readonly token: string;
  readonly journal: string;
  readonly messages: number;
  readonly conversations: number;
  readonly intervalMs: number;
}

/** One line of the journal. */
export type PeerNote =
  | { readonly kind: "acked"; readonly id: string; readonly isDuplicate: boolean }
  | {
      readonly kind: "reply";
      readonly deliveryId: string;
      readonly inReplyTo: string;
      readonly content: string;
      /** It was there already, from an earlier connection. */
      readonly isRepeated: boolean;
    };

export function readNotes(journal: string): readonly PeerNote[] {
  if (!existsSync(journal)) return [];
  const lines = readFileSync(journal, "utf8").split("\n");
  return lines.filter((line) => line.endsWith("}")).map((line) => JSON.parse(line) as PeerNote);
}

interface CoreFrame {
  readonly type?: string;
  readonly id?: string;
  readonly duplicate?: boolean;
  readonly delivery_id?: string;
  readonly content?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

function run(settings: SocketPeerSettings): void {
  const { url, channel, token, journal, messages, conversations, intervalMs } = settings;
  const acked = new Set<string>();
  const deliveries = new Set<string>();
  let last = "";
  for (const note of readNotes(journal)) {
    if (note.kind === "acked") acked.add(note.id);
    else deliveries.add((last = note.deliveryId));
  }
  const note = (line: PeerNote): void => appendFileSync(journal, `\n${JSON.stringify(line)}`);
  const sent = new Set<string>();

  const connect = (): void => {
    const socket = new WebSocket(url);
    sent.clear();
    let timer: NodeJS.Timeout | undefined;
    const sendNext = (): void => {
      for (let index = 0; index < messages; index += 1) {
        const id = `m${index}`;
        if (acked.has(id) || sent.has(id)) continue;
        sent.add(id);
        const conversation_id = `room-${index % conversations}`;
        socket.send(JSON.stringify({ id, conversation_id, sender_id: "ann", content: id }));
        return;
      }
    };
    const take = (frame: CoreFrame): void => {
      const { id = "", delivery_id: deliveryId = "" } = frame;
      switch (frame.type) {
        case "identified":
          timer = setInterval(sendNext, intervalMs);
          return;
        case "ack":
          acked.add(id);
          note({ kind: "acked", id, isDuplicate: frame.duplicate === true });
          return;
        case "error":
          sent.delete(id);
          return;
        case "message": {
          const inReplyTo = frame.metadata?.["in_reply_to"] ?? "";
          const isRepeated = deliveries.has(deliveryId);
          deliveries.add((last = deliveryId));
          note({ kind: "reply", deliveryId, inReplyTo, content: frame.content ?? "", isRepeated });
          socket.send(JSON.stringify({ type: "ack", id: deliveryId }));
          return;
        }
        default:
      }
    };
    socket.addEventListener("open", () =>
      socket.send(JSON.stringify({ type: "identify", id: channel, token, acks: true, last })),
    );
    socket.addEventListener("message", ({ data }) => take(JSON.parse(String(data)) as CoreFrame));
    socket.addEventListener("close", () => {
      clearInterval(timer);
      setTimeout(connect, 50);
    });
  };
  connect();
}

if (import.meta.main) run(JSON.parse(process.argv[2] ?? "{}") as SocketPeerSettings);
