import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import * as grpc from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { pluginMessages, pluginServiceMethods } from "@opentalon/protocol";
import type { CallOther } from "./define-callbacks.ts";
import type {
  AnyParameters,
  AnyToolDefinition,
  ToolDefinition,
  ToolProvider,
} from "./define-tool.ts";
import { checkToolDefinition, toParameters, withSchemasRead } from "./define-tool.ts";
import { parseConfigJson, serveHost, toMessage } from "./own-server.ts";
import { runAction } from "./run-action.ts";
import type { AnswerWeb } from "./serve-web.ts";
import { serveCallWithCallbacks } from "./run-callbacks.ts";

/**
 * Makes this program a tool plugin: listens on a socket of its own, tells the host where, and runs actions until it is
 * told to stop (SIGINT, SIGTERM) or its host is gone. Resolves once it listens; the process then lives by itself.
 *
 * Standard output belongs to the host: `console.log` goes to standard error, which the host logs.
 *
 * A function in place of the definition is asked anew each time, so that actions may come and go.
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
  tool: ToolDefinition<Parameters> | ToolProvider,
): Promise<void> {
  let describe: () => Promise<AnyToolDefinition>;
  let web: AnswerWeb | undefined;
  if (typeof tool === "function") describe = async () => withSchemasRead(await tool());
  else {
    const definition = withSchemasRead(tool as unknown as AnyToolDefinition);
    checkToolDefinition(definition);
    describe = async () => definition;
    web = definition.web;
  }
  await serveHost({
    methods: pluginServiceMethods,
    handlers: createHandlers(describe),
    web,
    stop: async () => (await describe()).onStop?.(),
  });
}

type Answer<Value> = sendUnaryData<Value>;
type Call<Value> = ServerUnaryCall<Value, unknown>;

function createHandlers(
  describe: () => Promise<AnyToolDefinition>,
): grpc.UntypedServiceImplementation {
  const answerCapabilities = (
    _call: unknown,
    answer: Answer<pluginMessages.PluginCapabilities>,
  ): void => {
    describe().then(
      (definition) => answer(null, toCapabilities(definition)),
      (error: unknown) => answer({ code: grpc.status.INTERNAL, details: toMessage(error) }),
    );
  };
  return {
    capabilities: answerCapabilities,
    refreshCapabilities: answerCapabilities,
    init: (call: Call<pluginMessages.PluginInitRequest>, answer: Answer<unknown>) => {
      configure(describe, call.request.configJson).then(
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
      const context = {
        callId: id,
        signal: cancelled.signal,
        credentialHeaders,
        call: refuseCallbacks,
      };
      describe()
        .then((definition) => runAction(definition, action, args, context))
        .then(
          (outcome) =>
            answer(
              null,
              create(pluginMessages.ToolResultResponseSchema, { callId: id, ...outcome }),
            ),
          (error: unknown) => answer({ code: grpc.status.INTERNAL, details: toMessage(error) }),
        );
    },
    executeBidi: (
      stream: grpc.ServerDuplexStream<pluginMessages.HostMessage, pluginMessages.PluginMessage>,
    ) => {
      describe().then(
        (definition) => {
          if (definition.callbacks !== true) {
            const details = "this plugin makes no callbacks, use Execute";
            stream.emit("error", { code: grpc.status.UNIMPLEMENTED, details });
            return;
          }
          serveCallWithCallbacks(
            stream,
            ({ id, action, args, credentialHeaders }, { signal, call }) =>
              runAction(definition, action, args, { callId: id, signal, credentialHeaders, call }),
          );
        },
        (error: unknown) =>
          stream.emit("error", { code: grpc.status.INTERNAL, details: toMessage(error) }),
      );
    },
  };
}

const refuseCallbacks: CallOther = () =>
  Promise.reject(
    new Error(
      "other actions and state are reached only by a plugin that says `callbacks: true`, and only when the host calls it by ExecuteBidi",
    ),
  );

async function configure(
  describe: () => Promise<AnyToolDefinition>,
  configJson: string,
): Promise<void> {
  const definition = await describe();
  await definition.onConfigure?.(parseConfigJson(configJson));
}

function toCapabilities(definition: AnyToolDefinition): pluginMessages.PluginCapabilities {
  return create(pluginMessages.PluginCapabilitiesSchema, {
    name: definition.name,
    description: definition.description,
    systemPromptAddition: definition.systemPromptAddition ?? "",
    supportsCallbacks: definition.callbacks ?? false,
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
