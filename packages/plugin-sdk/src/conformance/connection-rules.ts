import type { Bench, Connection } from "./bench.ts";
import type { Rule } from "./rule.ts";
import { broken, kept, toVerdict } from "./rule.ts";
import { connectTo } from "../testing-kit/connect-to.ts";

/** What is expected of the socket of every plugin. */
export const connectionRules: readonly Rule<Bench>[] = [
  {
    name: "reconnect",
    level: "must",
    title: "It goes on when its host closes the connection and opens a new one",
    remedy: "keep listening after a connection has ended",
    check: async (bench) => {
      const session = await bench.session();
      for (let round = 0; round < 3; round += 1) {
        const connection = session.connect();
        const problem = await connection.probe();
        connection.close();
        if (problem !== undefined) return broken(problem);
      }
      return kept();
    },
  },
  {
    name: "several-connections",
    level: "must",
    title: "It serves several connections at once",
    remedy: "serve each connection by itself: OpenTalon may open another one at any time",
    check: async (bench) => {
      const session = await bench.session();
      const connections = Array.from({ length: 4 }, session.connect);
      const problems = await probeAll(connections);
      for (const connection of connections) connection.close();
      return toVerdict(problems);
    },
  },
  {
    name: "nonsense-client",
    level: "should",
    title: "It survives a client that speaks something else",
    remedy: "close such a connection and go on",
    check: async (bench) => {
      const session = await bench.session();
      const socket = connectTo(session.opened.address);
      socket.write("GET / HTTP/1.1\r\nHost: plugin\r\n\r\n");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => socket.destroy(), 300);
        socket.resume().once("close", () => {
          clearTimeout(timer);
          resolve();
        });
      });
      return toVerdict(await probeAll([session]));
    },
  },
];

async function probeAll(connections: readonly Connection[]): Promise<readonly string[]> {
  const problems = await Promise.all(connections.map(({ probe }) => probe()));
  return problems.filter((problem) => problem !== undefined);
}
