import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import * as grpc from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { pluginMessages, pluginServiceMethods } from "@opentalon/protocol";
import type { AnyParameters, AnyToolDefinition, ToolDefinition } from "./define-tool.ts";
import { checkToolDefinition, toParameters, withSchemasRead } from "./define-tool.ts";
import { parseConfigJson, serveHost, toMessage } from "./own-server.ts";
import { runAction } from "./run-action.ts";

/**
 * Makes this program a tool plugin: listens on a socket of its own, tells the host where, and runs actions until it is
 * told to stop (SIGINT, SIGTERM) or its host is gone. Resolves once it listens; the process then lives by itself.
 *
 * Standard output belongs to the host: `console.log` goes to standard error, which the host logs.
 *
 * @throws Error when the definition cannot work (a name no host takes, no actions, a schema without JSON Schema) or no
 *   socket can be made.
 * @example
 * await serveTool({
 *   name: "dice",
 *   description: "Rolls dice",
 *   actions: {
 *     roll: {
 *       description: "Rolls one die and says what came up.",
 *       parameters: { sides: { type: "integer", description: "How many sides, 2 or more" } },
 *       run: ({ sides }) => `It shows ${1 + Math.floor(Math.random() * sides)}.`,
 *     },
 *   },
 * });
 */
export async function serveTool<const Parameters extends Readonly<Record<string, AnyParameters>>>(
  tool: ToolDefinition<Parameters>,
): Promise<void> {
  const definition = withSchemasRead(tool);
  checkToolDefinition(definition);
  await serveHost({ methods: pluginServiceMethods, handlers: createHandlers(definition) });
}

type Answer<Value> = sendUnaryData<Value>;
type Call<Value> = ServerUnaryCall<Value, unknown>;

function createHandlers(definition: AnyToolDefinition): grpc.UntypedServiceImplementation {
  const capabilities = toCapabilities(definition);
  const answerCapabilities = (
    _call: unknown,
    answer: Answer<pluginMessages.PluginCapabilities>,
  ): void => answer(null, capabilities);
  return {
    capabilities: answerCapabilities,
    refreshCapabilities: answerCapabilities,
    init: (call: Call<pluginMessages.PluginInitRequest>, answer: Answer<unknown>) => {
      configure(definition, call.request.configJson).then(
        () => answer(null, create(EmptySchema)),
        (error: unknown) =>
          answer({ code: grpc.status.INVALID_ARGUMENT, details: `configure: ${toMessage(error)}` }),
      );
    },
    execute: (
      call: Call<pluginMessages.ToolCallRequest>,
      answer: Answer<pluginMessages.ToolResultResponse>,
    ) => {
      const { id, action, args, credentialHeaders } = call.request;
      const cancelled = new AbortController();
      call.on("cancelled", () => cancelled.abort());
      void runAction(definition, action, args, {
        callId: id,
        signal: cancelled.signal,
        credentialHeaders,
      }).then((outcome) =>
        answer(null, create(pluginMessages.ToolResultResponseSchema, { callId: id, ...outcome })),
      );
    },
    executeBidi: (call: grpc.ServerDuplexStream<unknown, unknown>) => {
      call.emit("error", {
        code: grpc.status.UNIMPLEMENTED,
        details: "this plugin makes no callbacks, use Execute",
      });
    },
  };
}

async function configure(definition: AnyToolDefinition, configJson: string): Promise<void> {
  await definition.onConfigure?.(parseConfigJson(configJson));
}

function toCapabilities(definition: AnyToolDefinition): pluginMessages.PluginCapabilities {
  return create(pluginMessages.PluginCapabilitiesSchema, {
    name: definition.name,
    description: definition.description,
    systemPromptAddition: definition.systemPromptAddition ?? "",
    actions: Object.entries(definition.actions).map(([name, action]) => ({
      name,
      description: action.description,
      parameters: [...toParameters(action.parameters)],
      userOnly: action.userOnly ?? false,
      readOnly: action.readOnly ?? false,
      alwaysInclude: action.alwaysInclude ?? false,
      injectContextArgs: [...(action.contextArguments ?? [])],
    })),
  });
}
