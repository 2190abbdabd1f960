/** A chat by lines over TCP: whoever connects is a conversation of their own, one line is one message. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { serveChannel, type ChannelContext } from "@opentalon/plugin-sdk";

const maxLineLength = 4_000;
const people = new Map<string, Socket>();
let port = 7070;

await serveChannel({
  id: "line-chat",
  name: "Line chat",
  capabilities: { maxMessageLength: 2_000 },

  onConfigure: ({ port: wanted = port }) => {
    if (typeof wanted !== "number" || !Number.isInteger(wanted) || wanted < 0 || wanted > 65_535) {
      throw new Error("`port` must be a whole number up to 65535");
    }
    port = wanted;
  },

  start: async (context) => {
    const server = createServer((socket) => void talk(socket, context));
    // Nobody has to say who they are, so only this machine may come in.
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    console.error(`listening on port ${(server.address() as AddressInfo).port}`);
    await context.stopped;
    server.close();
    for (const socket of people.values()) socket.destroy();
  },

  send: ({ conversationId, content }) => {
    const socket = people.get(conversationId);
    if (socket === undefined) throw new Error("the person has hung up");
    socket.write(`${content}\n`);
  },

  typing: ({ conversationId }) => void people.get(conversationId)?.write("...\n"),
});

/** Hands over what one person writes, for as long as they stay. */
async function talk(socket: Socket, { receive }: ChannelContext): Promise<void> {
  const conversationId = randomUUID();
  people.set(conversationId, socket);
  socket.on("error", () => undefined);
  let count = 0;
  let begun = "";
  try {
    for await (const part of socket.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = `${begun}${part}`.split("\n");
      begun = lines.pop() ?? "";
      if (begun.length > maxLineLength) throw new Error("a line is too long");
      for (const line of lines) {
        const content = line.trim();
        count += 1;
        if (content === "") continue;
        // While OpenTalon is busy this waits, and the person's connection with it.
        await receive({
          conversationId,
          senderId: "guest",
          messageId: `${conversationId}-${count}`,
          content,
        });
      }
    }
  } catch (error) {
    console.error(`a conversation ended: ${String(error)}`);
  } finally {
    people.delete(conversationId);
    socket.destroy();
  }
}
