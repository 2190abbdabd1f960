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
  const running = new Set<(why: AbortSignal) => void>();
  // One listener for all: a signal made of two signals for each call costs more than the call's own work here.
  closed.addEventListener("abort", () => {
    for (const end of running) end(closed);
  });
  return (method, request, signal) =>
    new Promise((resolve, reject) => {
      if (closed.aborted) return reject(toAbortError(plugin, closed));
      if (signal.aborted) return reject(toAbortError(plugin, signal));
      const forget = (): void => {
        running.delete(end);
        signal.removeEventListener("abort", abort);
      };
      const call = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        (error: ServiceError | null, response) => {
          forget();
          if (error === null && response !== undefined) resolve(response);
          else reject(error ?? new Error("no response"));
        },
      );
      const end = (why: AbortSignal): void => {
        forget();
        reject(toAbortError(plugin, why));
        call.cancel();
      };
      const abort = (): void => end(signal);
      running.add(end);
      signal.addEventListener("abort", abort);
    });
}
