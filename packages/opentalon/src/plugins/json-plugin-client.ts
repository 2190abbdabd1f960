import type { Socket } from "node:net";
import {
  createDocumentDecoder,
  encodeDocument,
  maxDocumentBytes,
  parseGenerationZeroResponse,
} from "@opentalon/protocol";
import type { GenerationZeroRequest, GenerationZeroResponse } from "@opentalon/protocol";
import type { Clock } from "../base/clock.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import { createCallDeadline, toCheckedResult } from "./call.ts";
import { untilAborted } from "./deadline.ts";
import type { PluginAddress } from "./plugin-address.ts";
import { connectPatiently } from "./plugin-address.ts";
import type { PluginClient, PluginClientOptions } from "./plugin-client.ts";

export interface JsonPluginClientOptions extends PluginClientOptions {
  readonly address: PluginAddress;
  readonly clock: Clock;
  /** Called when a plugin that could be reached does not let itself be connected to. */
  readonly onDoubt?: (() => void) | undefined;
}

/** Connecting takes well under a millisecond. */
const doubtMs = 200;

/**
 * The first generation's way to be a `PluginClient`: length-prefixed JSON. Each call has a connection of its own, so
 * that calls run side by side and giving one up means hanging up.
 */
export function createJsonPluginClient({
  plugin,
  address,
  maxMessageBytes,
  clock,
  onDoubt,
}: JsonPluginClientOptions): PluginClient {
  const closed = new AbortController();
  const limitBytes = Math.min(maxMessageBytes, maxDocumentBytes);
  const fail = (reason: "unavailable" | "protocol-violated", problem: string): PluginError =>
    new PluginError(plugin, reason, `the plugin "${plugin}" ${problem}`);

  let wasReached = false;
  const connect = async (signal: AbortSignal): Promise<Socket> => {
    const cancelDoubt = wasReached && onDoubt !== undefined && clock.after(doubtMs, onDoubt);
    try {
      const socket = await connectPatiently(plugin, address, clock, signal);
      wasReached = true;
      return socket;
    } finally {
      if (cancelDoubt !== false) cancelDoubt();
    }
  };

  const ask = async (
    request: GenerationZeroRequest,
    callerSignal: AbortSignal,
  ): Promise<GenerationZeroResponse> => {
    const signal = AbortSignal.any([callerSignal, closed.signal]);
    const frame = encode(request);
    const socket = await connect(signal);
    try {
      const response = new Promise<GenerationZeroResponse>((resolve, reject) => {
        const decoder = createDocumentDecoder(limitBytes);
        socket.on("data", (bytes: Buffer) => {
          try {
            const [document] = decoder.push(bytes);
            if (document !== undefined) resolve(parseGenerationZeroResponse(document));
          } catch (error) {
            reject(
              fail("protocol-violated", `gave an answer that cannot be read: ${toMessage(error)}`),
            );
          }
        });
        socket.once("close", () =>
          reject(fail("unavailable", "closed the connection before it answered")),
        );
        socket.write(frame);
      });
      return await untilAborted(plugin, signal, response);
    } finally {
      socket.destroy();
    }
  };

  const encode = (request: GenerationZeroRequest): Buffer => {
    try {
      return encodeDocument(request);
    } catch (error) {
      throw fail("protocol-violated", `cannot be asked: ${toMessage(error)}`);
    }
  };

  const askCapabilities: PluginClient["capabilities"] = async (signal) => {
    const { capabilities, error } = await ask({ method: "capabilities" }, signal);
    if (capabilities !== undefined) return { ...capabilities, supportsCallbacks: false };
    throw fail(
      "protocol-violated",
      `does not say what it can do${error === "" ? "" : `: ${error.slice(0, 1_000)}`}`,
    );
  };

  return {
    init: async () => {},
    capabilities: askCapabilities,
    check: async (signal) => void (await askCapabilities(signal)),
    refresh: () => Promise.resolve(undefined),
    execute: async (execution, pluginName) => {
      using deadline = createCallDeadline(plugin, execution, clock);
      const { callId, action } = execution;
      const args = Object.fromEntries(
        Object.entries(execution.arguments).map(([name, value]) => [name, value.toWellFormed()]),
      );
      const request = { method: "execute", id: callId, plugin: pluginName, action, args } as const;
      return toCheckedResult(plugin, execution, await ask(request, deadline.signal));
    },
    end: (error) => closed.abort(error),
    [Symbol.asyncDispose]: async () => closed.abort(fail("unavailable", "was stopped")),
  };
}
