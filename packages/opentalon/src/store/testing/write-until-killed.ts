import { systemClock } from "../../base/clock.ts";
import type { InboundMessage } from "../../domain/message.ts";
import { defaultStoreLimits } from "../ports.ts";
import { createSqliteStore } from "../sqlite-store.ts";

/**
 * A process that writes turns into the store of the given directory until it is killed, and prints a line for each thing
 * the store has acknowledged: `accepted <message>`, `recorded <message> <turn>`, `committed <message>`.
 */
const [dataDirectory = "", prefix = ""] = process.argv.slice(2);
const store = await createSqliteStore({
  dataDirectory,
  clock: systemClock,
  limits: defaultStoreLimits,
});
process.stdout.write("ready\n");

const writeTurns = async (lane: number): Promise<never> => {
  for (let index = 0; ; index += 1) {
    const id = `${prefix}-${lane}-${index}`;
    const outcome = await store.inbox.accept(toMessage(id, lane), `console:${lane}`);
    if (outcome.kind !== "accepted") throw new Error(`${id} is a ${outcome.kind}`);
    process.stdout.write(`accepted ${id}\n`);
    const { entry } = outcome;
    await store.journal.begin(entry.id, "tool");
    await store.journal.record(entry.id, "tool", id);
    process.stdout.write(`recorded ${id} ${entry.id}\n`);
    // Every third turn stays open, for a later process to take over.
    if (index % 3 === 2) continue;
    const session = { appended: [{ role: "user", content: id } as const] };
    const { channel, conversationId, threadId } = entry.message;
    const reply = { channel, conversationId, threadId, content: id, files: [], metadata: {} };
    await store.commitTurn({ entry, reply, session, usage: [] });
    process.stdout.write(`committed ${id}\n`);
  }
};

function toMessage(platformMessageId: string, lane: number): InboundMessage {
  return {
    channel: "console",
    channelKind: "console",
    platformMessageId,
    conversationId: String(lane),
    threadId: "",
    senderId: "ada",
    senderName: "Ada",
    content: platformMessageId,
    files: [],
    metadata: {},
    sentAtMs: 0,
  };
}

await Promise.all(Array.from({ length: 8 }, (_, lane) => writeTurns(lane)));
