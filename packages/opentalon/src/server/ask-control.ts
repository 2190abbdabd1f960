import { type IncomingMessage, request } from "node:http";
import type { Readable } from "node:stream";
import { findControlSockets } from "./control-socket.ts";

export interface ControlQuestion {
  /** The state folder of the program that is asked. */
  readonly directory: string;
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  /** A JSON value; none when absent. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export type ControlReply =
  | { readonly kind: "answered"; readonly status: number; readonly body: Readable }
  | { readonly kind: "not-running" };

/**
 * Asks the program that runs over a state folder, through its control socket.
 * @throws as the system does, when there is a program and it cannot be asked.
 */
export async function askControl(question: ControlQuestion): Promise<ControlReply> {
  for (const socketPath of await findControlSockets(question.directory)) {
    const body = await ask(socketPath, question);
    if (body !== undefined) return { kind: "answered", status: body.statusCode ?? 0, body };
  }
  return { kind: "not-running" };
}

/** `undefined` when nobody listens there. */
function ask(
  socketPath: string,
  { method, path, body, signal }: ControlQuestion,
): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const asking = request(
      { socketPath, method, path, agent: false, signal, headers: { host: "localhost" } },
      resolve,
    );
    asking.once("error", (error: NodeJS.ErrnoException) => {
      const isNobodyThere = error.code === "ENOENT" || error.code === "ECONNREFUSED";
      if (isNobodyThere) resolve(undefined);
      else reject(error);
    });
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
