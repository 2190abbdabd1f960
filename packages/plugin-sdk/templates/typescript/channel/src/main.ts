/**
 * A channel: joins a messaging platform. This one is the platform, too: each TCP connection is a conversation, each line
 * a message. Try it with `nc 127.0.0.1 7070`. Everybody on this machine can connect, so it is a toy.
 */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { serveChannel } from "@opentalon/plugin-sdk";

let host = "127.0.0.1";
let port = 7070;
const connections = new Map<string, Socket>();

await serveChannel({
  id: "my-plugin",
  name: "Lines over TCP",
  /** Takes what stands under `config` of the channel's entry, or refuses it in words. */
  onConfigure: ({ address = `${host}:${port}` }) => {
    const [, name, number] = /^(.+):(\d{1,5})$/.exec(String(address)) ?? [];
    if (name === undefined || Number(number) > 65_535)
      throw new Error("`address` must be host:port");
    host = name;
    port = Number(number);
  },
  /** Hands over what people write, until it is told to stop. */
  start: async ({ receive, stopped }) => {
    let count = 0;
    const server = createServer((connection) => {
      count += 1;
      const name = String(count);
      connections.set(name, connection);
      connection.on("error", () => undefined).on("close", () => connections.delete(name));
      const read = async (): Promise<void> => {
        for await (const content of createInterface({ input: connection }))
          await receive({ conversationId: name, senderId: name, content });
      };
      read().catch(() => connection.destroy());
    });
    server.listen(port, host);
    await once(server, "listening");
    await stopped;
    for (const connection of connections.values()) connection.destroy();
    server.close();
  },
  send: async ({ conversationId, content }) => {
    const connection = connections.get(conversationId);
    if (connection === undefined) throw new Error("the person has hung up");
    await new Promise<void>((resolve, reject) => {
      connection.write(`${content}\n`, (error) => (error ? reject(error) : resolve()));
    });
  },
  // Nothing can be shown here; without this, a person who is told that an answer comes would see an empty line.
  typing: () => undefined,
});
