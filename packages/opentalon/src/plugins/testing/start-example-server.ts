import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";

export interface ExampleServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** A server program that listens on the port in `PORT`; resolves when it says that it does. */
export async function startExampleServer(
  command: readonly string[],
  path: string,
  { port }: { readonly port?: number } = {},
): Promise<ExampleServer> {
  const taken = port ?? (await findFreePort());
  const [program = "", ...rest] = command;
  const child = spawn(program, rest, {
    env: { ...process.env, PORT: String(taken), MCP_PORT: String(taken) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = Promise.withResolvers<void>();
  for (const input of [child.stdout, child.stderr])
    createInterface({ input }).on("line", (line) => {
      if (/running on|listening on/i.test(line)) said.resolve();
    });
  const exited = once(child, "exit");
  await Promise.race([
    said.promise,
    exited.then(() => {
      throw new Error("the example server ended at its start");
    }),
  ]);
  return {
    url: `http://127.0.0.1:${taken}${path}`,
    pid: child.pid ?? -1,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
