import type { Client, MethodDefinition, ServiceError } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { toAbortError } from "./deadline.ts";

/** One question and its answer. Rejects as the library does, or with a `PluginError` as soon as `signal` aborts. */
export type UnaryCall = <Request, Response>(
  method: MethodDefinition<Request, Response>,
  request: Request,
  signal: AbortSignal,
) => Promise<Response>;

/** Calls over `client`. The library lets those under way go on after the client was closed, `closed` ends them. */
export function createUnaryCall(client: Client, plugin: string, closed: AbortSignal): UnaryCall {
  return (method, request, callerSignal) =>
    new Promise((resolve, reject) => {
      const signal = AbortSignal.any([callerSignal, closed]);
      if (signal.aborted) return reject(toAbortError(plugin, signal));
      const running = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        (error: ServiceError | null, response) => {
          signal.removeEventListener("abort", abort);
          if (error === null && response !== undefined) resolve(response);
          else reject(error ?? new Error("no response"));
        },
      );
      const abort = (): void => {
        reject(toAbortError(plugin, signal));
        running.cancel();
      };
      signal.addEventListener("abort", abort, { once: true });
    });
}
