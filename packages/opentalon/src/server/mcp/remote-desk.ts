import type { Readable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import type { DeskTool, ToolDesk } from "../../domain/tool-desk.ts";

/** One question to the program that runs, over its control socket. */
export interface DeskQuestion {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export type DeskReply =
  | { readonly kind: "answered"; readonly status: number; readonly body: Readable }
  | { readonly kind: "not-running" };

export interface RemoteDeskOptions {
  readonly ask: (question: DeskQuestion) => Promise<DeskReply>;
  readonly clock: Clock;
}

/** How often it is looked whether the tools have changed. */
const lookAgainMs = 10_000;
const maxReplyBytes = 33_554_432;

/** The desk of the program that runs over the same state; it calls the tools there, in the plugins that run there. */
export function createRemoteDesk({ ask, clock }: RemoteDeskOptions): ToolDesk {
  const askJson = async <Value>(question: DeskQuestion): Promise<Value> => {
    const reply = await ask(question);
    if (reply.kind === "not-running") throw new Error("OpenTalon does not run any more");
    const text = await readText(reply.body);
    if (reply.status === 200) return JSON.parse(text) as Value;
    if (reply.status === 404)
      throw new Error("the OpenTalon that runs is another version; start it again");
    throw new Error(`OpenTalon answered ${reply.status}: ${text.slice(0, 500)}`);
  };
  return {
    list: async () =>
      (await askJson<{ tools: readonly DeskTool[] }>({ method: "GET", path: "/tools" })).tools,
    call: async ({ signal, ...call }) => {
      const path = "/tools/call";
      const { content, is_error: isError } = await askJson<{ content: string; is_error: boolean }>({
        method: "POST",
        path,
        body: call,
        signal,
      });
      return { content, isError };
    },
    follow: (onChange) => {
      let cancel = (): void => undefined;
      const schedule = (): void => {
        cancel = clock.after(lookAgainMs, () => {
          onChange();
          schedule();
        });
      };
      schedule();
      return { [Symbol.dispose]: () => cancel() };
    },
  };
}

async function readText(body: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    bytes += piece.byteLength;
    if (bytes > maxReplyBytes) throw new Error("OpenTalon's answer is too long");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}
