import type { Client, MethodDefinition, ServiceError } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import type { Clock } from "../base/clock.ts";
import type { PluginError } from "../base/errors.ts";
import { toAbortError } from "./deadline.ts";

/**
 * One question and its answer. Rejects as the library does, or with a `PluginError` as soon as `signal` aborts or `limit`
 * is over.
 */
export type UnaryCall = <Request, Response>(
  method: MethodDefinition<Request, Response>,
  request: Request,
  signal: AbortSignal,
  limit?: CallLimit,
) => Promise<Response>;

/** Time one call may take, and what is said when it took longer. */
export interface CallLimit {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly toError: () => PluginError;
}

/** Calls over `client`. The library lets those under way go on after the client was closed, `closed` ends them. */
export function createUnaryCall(client: Client, plugin: string, closed: AbortSignal): UnaryCall {
  // One listener for all calls, and no signal made of others for each: that would cost as much as all else here.
  const running = new Set<(error: PluginError) => void>();
  closed.addEventListener("abort", () => {
    for (const end of running) end(toAbortError(plugin, closed));
  });
  return (method, request, signal, limit) =>
    new Promise((resolve, reject) => {
      if (closed.aborted) return reject(toAbortError(plugin, closed));
      if (signal.aborted) return reject(toAbortError(plugin, signal));
      const cancelTimer = limit?.clock.after(limit.timeoutMs, () => end(limit.toError()));
      const forget = (): void => {
        cancelTimer?.();
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
      const end = (error: PluginError): void => {
        forget();
        reject(error);
        call.cancel();
      };
      const abort = (): void => end(toAbortError(plugin, signal));
      running.add(end);
      signal.addEventListener("abort", abort);
    });
}
