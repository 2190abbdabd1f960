/**
 * The other side of a webhook as a program of its own, so that it can be killed: posts messages at a steady rate, takes
 * replies, and writes what happened into a journal before it tells the core, so that the next run goes on where this one
 * ended.
 *
 * `node webhook-peer-program.ts <JSON of WebhookPeerSettings>`
 */
import { Agent, createServer, request } from "node:http";
import { createPeerJournal, type PeerSettings } from "./peer-journal.ts";

interface WebhookPeerSettings extends PeerSettings {
  /** Where messages are posted to. */
  readonly url: string;
  /** Where replies come to. */
  readonly port: number;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as WebhookPeerSettings;
const notes = createPeerJournal(settings.journal);
const underWay = new Set<string>();
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

const server = createServer((incoming, response) => {
  const chunks: Buffer[] = [];
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
  incoming.on("end", () => {
    const { metadata } = JSON.parse(Buffer.concat(chunks).toString()) as {
      readonly metadata?: Readonly<Record<string, string>>;
    };
    const deliveryId = String(incoming.headers["idempotency-key"]);
    notes.note({ kind: "reply", deliveryId, inReplyTo: metadata?.["in_reply_to"] ?? "" });
    response.end("{}");
  });
  incoming.on("error", () => {});
});
server.listen(settings.port, "127.0.0.1");

setInterval(() => {
  const next = notes.findUnheard(settings, underWay);
  if (next === undefined) return;
  const { id, conversation } = next;
  underWay.add(id);
  const body = JSON.stringify({ id, conversation_id: conversation, sender_id: "ann", content: id });
  const headers = { "content-type": "application/json", "content-length": body.length };
  const posting = request(settings.url, { method: "POST", agent, headers }, (answer) => {
    answer.resume();
    if (answer.statusCode === 202) notes.note({ kind: "acked", id });
    else underWay.delete(id);
  });
  posting.on("error", () => underWay.delete(id));
  posting.end(body);
}, settings.intervalMs);
