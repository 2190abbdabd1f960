import type { Client } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { pluginMessages, pluginServiceMethods } from "@opentalon/protocol";
import { PluginError } from "../base/errors.ts";
import type { Execution, RawToolResult } from "../domain/plugin.ts";
import { toAbortError } from "./deadline.ts";

export interface CallbackCallOptions {
  readonly client: Client;
  /** Key of the entry. */
  readonly plugin: string;
  /** Most bytes of what the plugin has sent and nobody has taken up yet. */
  readonly maxMessageBytes: number;
  /** Ends all calls. */
  readonly closed: AbortSignal;
}

export interface CallbackCallRequest {
  readonly request: pluginMessages.ToolCallRequest;
  readonly onCallback: Execution["onCallback"];
  readonly signal: AbortSignal;
}

/**
 * One action, and what the plugin wants done meanwhile. Rejects as the library does, or with a `PluginError` as soon as
 * `signal` aborts. When it settles, callbacks under way are aborted and the call is over for the plugin, too.
 */
export type CallbackCall = (
  call: CallbackCallRequest,
) => Promise<pluginMessages.ToolResultResponse>;

/** Callbacks of one call that run side by side; further ones are not read before one of these is answered. */
export const maxCallbacksAtOnce = 16;
/** Callbacks of one call, whatever they ask for; one more ends it. */
export const maxCallbacksPerCall = 10_000;

type Request = pluginMessages.CallbackRequest;

export function createCallbackCall(options: CallbackCallOptions): CallbackCall {
  const { client, plugin, maxMessageBytes, closed } = options;
  const { path, requestSerialize, responseDeserialize } = pluginServiceMethods.executeBidi;
  const fail = (problem: string): PluginError =>
    new PluginError(plugin, "protocol-violated", `the plugin "${plugin}" ${problem}`);

  return ({ request, onCallback, signal: callerSignal }) =>
    new Promise((resolve, reject) => {
      const signal = AbortSignal.any([callerSignal, closed]);
      if (signal.aborted) return reject(toAbortError(plugin, signal));
      /** What was read ahead and not looked at yet: sixteen messages at most, each as large as messages may be. */
      const unread = new Map<pluginMessages.PluginMessage, number>();
      let unreadBytes = 0;
      const stream = client.makeBidiStreamRequest(
        path,
        requestSerialize,
        (bytes: Buffer) => {
          unreadBytes += bytes.length;
          if (unreadBytes > maxMessageBytes)
            throw new Error(`more than ${maxMessageBytes} bytes are waiting to be answered`);
          const message = responseDeserialize(bytes);
          unread.set(message, bytes.length);
          return message;
        },
        new Metadata(),
      );
      const ended = new AbortController();
      const settle = (finish: () => void): void => {
        if (ended.signal.aborted) return;
        ended.abort(new PluginError(plugin, "unavailable", "the call that asked for it is over"));
        signal.removeEventListener("abort", abort);
        stream.cancel();
        finish();
      };
      const abort = (): void => settle(() => reject(toAbortError(plugin, signal)));
      signal.addEventListener("abort", abort, { once: true });

      const writeOne = (message: pluginMessages.HostMessage): Promise<void> =>
        new Promise((written) => {
          stream.write(message, () => written());
        });
      let writing = Promise.resolve();
      const write = (payload: pluginMessages.HostMessage["payload"]): Promise<void> => {
        const message = create(pluginMessages.HostMessageSchema, { payload });
        writing = writing.then(() => writeOne(message));
        return writing;
      };

      let running = 0;
      let total = 0;
      const answer = async (asked: Request): Promise<void> => {
        running += 1;
        if (running >= maxCallbacksAtOnce) stream.pause();
        const result = await run(plugin, asked, onCallback, ended.signal);
        if (ended.signal.aborted) return;
        const value = toResponse(asked, result);
        await write({ case: "callbackResponse", value });
        running -= 1;
        if (!ended.signal.aborted) stream.resume();
      };

      stream.on("data", (message: pluginMessages.PluginMessage) => {
        unreadBytes -= unread.get(message) ?? 0;
        unread.delete(message);
        if (ended.signal.aborted) return;
        const { payload } = message;
        switch (payload.case) {
          case "result":
            return settle(() => resolve(payload.value));
          case "callbackRequest":
            total += 1;
            if (total > maxCallbacksPerCall) {
              const problem = `asked for more than ${maxCallbacksPerCall} callbacks in one call`;
              return settle(() => reject(fail(problem)));
            }
            return void answer(payload.value);
          case undefined:
            return settle(() => reject(fail("sent a message with nothing in it")));
        }
      });
      stream.on("error", (error: Error) => settle(() => reject(error)));
      // A status other than OK has been an error before this.
      stream.on("end", () => settle(() => reject(fail("ended a call without a result"))));
      void write({ case: "call", value: request });
    });
}

/** What comes of one callback; a failure of the part that runs it is told in no detail. */
async function run(
  asker: string,
  { plugin, action, args }: Request,
  onCallback: Execution["onCallback"],
  signal: AbortSignal,
): Promise<RawToolResult> {
  if (onCallback === undefined) return toFailure("this call cannot have other actions run");
  try {
    return await onCallback({ asker, plugin, action, arguments: args }, signal);
  } catch {
    return toFailure("it could not be run");
  }
}

function toFailure(error: string): RawToolResult {
  return { content: "", error, structuredContent: "" };
}

const maxNameLength = 100;

function toResponse(
  { id, plugin, action }: Request,
  { content, error, structuredContent }: RawToolResult,
): pluginMessages.CallbackResponse {
  const name = `${plugin.slice(0, maxNameLength)}__${action.slice(0, maxNameLength)}`;
  return create(pluginMessages.CallbackResponseSchema, {
    id,
    content,
    error: error === "" ? "" : `${name.toWellFormed()}: ${error}`,
    structuredContent,
  });
}
