import type { ServiceError } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { pluginMessages, pluginServiceMethods as methods } from "@opentalon/protocol";
import type { Clock } from "../base/clock.ts";
import { PluginError } from "../base/errors.ts";
import type { Execution, RawToolResult } from "../domain/plugin.ts";
import { createCallDeadline, toCheckedResult, toTimeoutError } from "./call.ts";
import { createCallbackCall } from "./grpc-callbacks.ts";
import type { GrpcClientOptions } from "./grpc-client.ts";
import { createGrpcClient, watchConnection } from "./grpc-client.ts";
import { healthCheckMethod } from "./grpc-health.ts";
import { createUnaryCall } from "./grpc-unary.ts";
import type { PluginClient, PluginClientOptions } from "./plugin-client.ts";
import type { ReportedCapabilities } from "./to-capabilities.ts";

export interface GrpcPluginClientOptions extends PluginClientOptions, GrpcClientOptions {
  readonly clock: Clock;
  /** Called each time a connection that stood was lost; the next call makes a new one. */
  readonly onDoubt?: (() => void) | undefined;
}

/** The gRPC way to be a `PluginClient`. */
export function createGrpcPluginClient(options: GrpcPluginClientOptions): PluginClient {
  const { plugin, clock, maxMessageBytes, onDoubt } = options;
  const client = createGrpcClient(options);
  if (onDoubt !== undefined) watchConnection(client, onDoubt);
  // The library lets calls under way go on after the client was closed.
  const closed = new AbortController();

  const call = createUnaryCall(client, plugin, closed.signal);
  const callWithCallbacks = createCallbackCall({
    client,
    plugin,
    maxMessageBytes,
    closed: closed.signal,
  });
  const toError = (error: unknown): PluginError => toPluginError(plugin, error);
  let hasHealthService = true;

  const checkService = async (signal: AbortSignal): Promise<void> => {
    const said = await call(healthCheckMethod, undefined, signal);
    if (said !== "not-serving") return;
    const problem = `the plugin "${plugin}" says that it is not serving`;
    throw new PluginError(plugin, "unavailable", problem);
  };

  const run = async (
    execution: Execution,
    pluginName: string,
    ask: (request: pluginMessages.ToolCallRequest) => Promise<pluginMessages.ToolResultResponse>,
  ): Promise<RawToolResult> => {
    try {
      const result = await ask(toCallRequest(execution, pluginName));
      return toCheckedResult(plugin, execution, result);
    } catch (error) {
      throw toError(error);
    }
  };

  return {
    init: async (configJson, signal) => {
      try {
        await call(
          methods.init,
          create(pluginMessages.PluginInitRequestSchema, { configJson }),
          signal,
        );
      } catch (error) {
        // Plugins written without a configuration in mind do not have the method.
        if (isServiceError(error) && error.code === status.UNIMPLEMENTED) return;
        throw toError(error);
      }
    },
    capabilities: async (signal) => {
      try {
        return toReported(await call(methods.capabilities, create(EmptySchema), signal));
      } catch (error) {
        throw toError(error);
      }
    },
    check: async (signal) => {
      try {
        if (hasHealthService) return await checkService(signal);
      } catch (error) {
        // It has none, or one that knows only single services by their names.
        const code = isServiceError(error) ? error.code : undefined;
        if (code !== status.UNIMPLEMENTED && code !== status.NOT_FOUND) throw toError(error);
        hasHealthService = false;
      }
      try {
        await call(methods.capabilities, create(EmptySchema), signal);
      } catch (error) {
        throw toError(error);
      }
    },
    refresh: async (signal) => {
      try {
        return toReported(await call(methods.refreshCapabilities, create(EmptySchema), signal));
      } catch (error) {
        if (isServiceError(error) && error.code === status.UNIMPLEMENTED) return undefined;
        throw toError(error);
      }
    },
    execute: (execution, pluginName) => {
      const { signal, timeoutMs } = execution;
      const toLimitError = (): PluginError => toTimeoutError(plugin, execution);
      const limit = { clock, timeoutMs, toError: toLimitError };
      return run(execution, pluginName, (request) => call(methods.execute, request, signal, limit));
    },
    executeWithCallbacks: async (execution, pluginName) => {
      using deadline = createCallDeadline(plugin, execution, clock);
      const { onCallback } = execution;
      return await run(execution, pluginName, (request) =>
        callWithCallbacks({ request, onCallback, signal: deadline.signal }),
      );
    },
    end: (error) => closed.abort(error),
    [Symbol.asyncDispose]: async () => {
      closed.abort(new PluginError(plugin, "unavailable", `the plugin "${plugin}" was stopped`));
      client.close();
    },
  };
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}

/** What the library threw, in our words. */
export function toPluginError(plugin: string, error: unknown): PluginError {
  if (error instanceof PluginError) return error;
  if (!isServiceError(error)) {
    return new PluginError(
      plugin,
      "protocol-violated",
      `the plugin "${plugin}" could not be asked: ${String(error)}`,
    );
  }
  const details = error.details.slice(0, 1_000).toWellFormed();
  const message = `the plugin "${plugin}" failed: grpc: ${status[error.code] ?? error.code}: ${details}`;
  switch (error.code) {
    case status.UNAVAILABLE:
    case status.CANCELLED:
      return new PluginError(plugin, "unavailable", message);
    case status.DEADLINE_EXCEEDED:
      return new PluginError(plugin, "timed-out", message);
    default:
      return new PluginError(plugin, "protocol-violated", message);
  }
}

function toCallRequest(
  { callId, action, arguments: args, credentialHeaders = {} }: Execution,
  pluginName: string,
): pluginMessages.ToolCallRequest {
  // The one place where they are no secrets: from here they are on their way.
  const headers = Object.entries(credentialHeaders).map(([server, { header, value }]) => [
    server,
    create(pluginMessages.CredentialHeaderSchema, { header, value: value.reveal() }),
  ]);
  return create(pluginMessages.ToolCallRequestSchema, {
    id: callId,
    plugin: pluginName,
    action,
    args: { ...args },
    credentialHeaders: Object.fromEntries(headers) as Record<
      string,
      pluginMessages.CredentialHeader
    >,
  });
}

function toReported(capabilities: pluginMessages.PluginCapabilities): ReportedCapabilities {
  const { name, description, systemPromptAddition, supportsCallbacks } = capabilities;
  const actions = capabilities.actions.map((action) => ({
    name: action.name,
    description: action.description,
    parameters: action.parameters,
    userOnly: action.userOnly,
    readOnly: action.readOnly,
    alwaysInclude: action.alwaysInclude,
    contextArguments: action.injectContextArgs,
  }));
  return { name, description, actions, systemPromptAddition, supportsCallbacks };
}
