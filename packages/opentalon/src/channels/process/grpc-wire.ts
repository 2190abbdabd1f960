import type { Client, ClientReadableStream, MethodDefinition } from "@grpc/grpc-js";
import { connectivityState, Metadata, status } from "@grpc/grpc-js";
import { create, type JsonObject } from "@bufbuild/protobuf";
import { EmptySchema, type Timestamp } from "@bufbuild/protobuf/wkt";
import { channelMessages as messages, channelServiceMethods as methods } from "@opentalon/protocol";
import { createBackoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { formatDuration } from "../../base/duration.ts";
import { PluginError, toMessage } from "../../base/errors.ts";
import type { ChannelTool } from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import { toAbortError } from "../../plugins/deadline.ts";
import type { GrpcClientOptions } from "../../plugins/grpc-client.ts";
import { createGrpcClient } from "../../plugins/grpc-client.ts";
import { isServiceError, toPluginError } from "../../plugins/grpc-plugin-client.ts";
import { createUnaryCall } from "../../plugins/grpc-unary.ts";
import { DeliveryError } from "../delivery-error.ts";
import type { ChannelWire, ReportedChannel, WireMessage } from "./channel-wire.ts";
import { createReadGate } from "./read-gate.ts";
import { toChannelWords } from "./to-channel-words.ts";

export interface GrpcWireOptions extends Omit<GrpcClientOptions, "interceptor"> {
  readonly sendTimeoutMs: number;
  readonly clock: Clock;
}

/** How long a message waits for a connection before it counts as not delivered. */
const connectTimeoutMs = 5_000;
const acknowledgeTimeoutMs = 10_000;
const acknowledgeTries = 5;
const firstAcknowledgePauseMs = 200;
const slowestAcknowledgePauseMs = 5_000;
const maxMessageIds = 100;
/** The end of a connection is known a moment after that of the calls over it. */
const doubtMs = 50;

/**
 * The gRPC way to speak to a channel. What people write has a connection of its own: unread it would fill the window
 * of the connection, and the answers to what we send would be stuck behind it.
 */
export function createGrpcWire(options: GrpcWireOptions): ChannelWire {
  const { plugin, clock, sendTimeoutMs } = options;
  const gate = createReadGate();
  const client = createGrpcClient(options);
  const listener = createGrpcClient({ ...options, interceptor: gate.interceptor });
  const closed = new AbortController();
  const ask = createUnaryCall(client, plugin, closed.signal);

  const askOwn = async <Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Response> => {
    try {
      return await ask(method, request, signal);
    } catch (error) {
      throw toPluginError(plugin, error);
    }
  };

  /** `missing` is the answer of a channel that does not have the method. */
  const askIfKnown = async <Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    signal: AbortSignal,
    missing: Response,
  ): Promise<Response> => {
    try {
      return await ask(method, request, signal);
    } catch (error) {
      if (isServiceError(error) && error.code === status.UNIMPLEMENTED) return missing;
      throw toPluginError(plugin, error);
    }
  };

  const capabilities = async (signal: AbortSignal): Promise<ReportedChannel> =>
    toReported(await askOwn(methods.capabilities, create(EmptySchema), signal));

  /** Rejects when it is not heard: whoever waits for it would wait for ever. */
  const acknowledge = async (receipt: string): Promise<void> => {
    if (receipt === "") return;
    const request = create(messages.AcknowledgeRequestSchema, { receipt });
    const limit = { clock, timeoutMs: acknowledgeTimeoutMs, toError: () => unheard(plugin) };
    const backoff = createBackoff({
      initialMs: firstAcknowledgePauseMs,
      maxMs: slowestAcknowledgePauseMs,
    });
    for (let attempt = 1; ; attempt += 1) {
      try {
        await ask(methods.acknowledge, request, closed.signal, limit);
        return;
      } catch (error) {
        // What the channel itself says to it, it has heard.
        const isHeard = isServiceError(error) && !unheardCodes.has(error.code);
        if (isHeard || closed.signal.aborted) return;
        if (attempt === acknowledgeTries) throw unheard(plugin);
        await clock.sleep(backoff.nextMs(), closed.signal);
      }
    }
  };

  return {
    capabilities,
    check: async (signal) => void (await capabilities(signal)),
    configure: async (config, instanceId, signal) => {
      const request = create(messages.ConfigureRequestSchema, {
        config: config as JsonObject,
        instanceId,
        acknowledges: true,
      });
      const missing = create(messages.ConfigureResponseSchema);
      await askIfKnown(methods.configure, request, signal, missing);
    },
    tools: async (signal) => {
      const missing = create(messages.ToolsResponseSchema);
      const { tools } = await askIfKnown(methods.tools, create(EmptySchema), signal, missing);
      return tools.map(toTool);
    },
    receive: (take) =>
      new Promise((resolve, reject) => {
        if (closed.signal.aborted) return reject(toAbortError(plugin, closed.signal));
        const { path, requestSerialize, responseDeserialize } = methods.start;
        const stream: ClientReadableStream<messages.InboundMessage> =
          listener.makeServerStreamRequest(
            path,
            requestSerialize,
            responseDeserialize,
            create(EmptySchema),
            new Metadata(),
          );
        let taking: Promise<void> = Promise.resolve();
        let isOver = false;
        const settle = (finish: () => void): void => {
          if (isOver) return;
          isOver = true;
          closed.signal.removeEventListener("abort", abort);
          void taking.then(finish);
          stream.cancel();
        };
        const abort = (): void => settle(() => reject(toAbortError(plugin, closed.signal)));
        closed.signal.addEventListener("abort", abort, { once: true });
        stream.on("data", (message: messages.InboundMessage) => {
          if (isOver) return;
          gate.close();
          taking = taking
            .then(() => take(toWireMessage(message)))
            .then((isTaken) => {
              if (!isTaken) return;
              // Over the next stream it is handed over again; its identity keeps it from being answered twice.
              const giveUp = (error: unknown): void =>
                settle(() => reject(toPluginError(plugin, error)));
              acknowledge(message.receipt).catch(giveUp);
            })
            .then(gate.open);
        });
        // After the end an error still comes when the call was cancelled.
        stream.on("error", (error: unknown) => settle(() => reject(toPluginError(plugin, error))));
        stream.on("end", () => settle(resolve));
      }),
    send: async (message, deliveryId) => {
      await untilConnected(client, plugin);
      const limit = {
        clock,
        timeoutMs: sendTimeoutMs,
        toError: () =>
          new PluginError(
            plugin,
            "timed-out",
            `the channel "${plugin}" did not say within ${formatDuration(sendTimeoutMs)} whether the platform has the message`,
          ),
      };
      try {
        const request = toOutbound(message, deliveryId);
        const { messageIds } = await ask(methods.send, request, closed.signal, limit);
        return { messageIds: messageIds.slice(0, maxMessageIds) };
      } catch (error) {
        throw await toDeliveryError(error, { plugin, client, clock });
      }
    },
    close: (reason) => {
      closed.abort(reason);
      client.close();
      listener.close();
    },
  };
}

const unheardCodes: ReadonlySet<status> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.INTERNAL,
  status.RESOURCE_EXHAUSTED,
  status.UNAVAILABLE,
]);

function unheard(plugin: string): PluginError {
  return new PluginError(plugin, "timed-out", `the channel "${plugin}" heard no acknowledgement`);
}

/** @throws DeliveryError: nothing was sent. */
async function untilConnected(client: Client, plugin: string): Promise<void> {
  try {
    if (isConnected(client)) return;
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + connectTimeoutMs, (error) =>
        error === undefined ? resolve() : reject(error),
      );
    });
  } catch (error) {
    throw new DeliveryError(`the channel "${plugin}" cannot be reached`, {
      outcome: "not-delivered",
      cause: error,
    });
  }
}

function isConnected(client: Client): boolean {
  return client.getChannel().getConnectivityState(true) === connectivityState.READY;
}

/**
 * What a failed Send means for the message. What the channel itself answered is a refusal; a connection that was lost, or
 * a time that was up, leaves open what became of it.
 */
async function toDeliveryError(
  error: unknown,
  { plugin, client, clock }: { plugin: string; client: Client; clock: Clock },
): Promise<DeliveryError> {
  const fail = (outcome: DeliveryError["outcome"], problem: string): DeliveryError =>
    new DeliveryError(problem, { outcome, cause: error });
  if (!isServiceError(error)) return fail("unknown", toChannelWords(plugin, toMessage(error)));
  const details = error.details.slice(0, 1_000).toWellFormed();
  const name = status[error.code] ?? String(error.code);
  const lost = `the connection to the channel "${plugin}" was lost before it answered (${name}: ${details})`;
  switch (error.code) {
    case status.CANCELLED:
    case status.DEADLINE_EXCEEDED:
      return fail("unknown", lost);
    case status.INTERNAL:
      if (/^(?:Received )?RST_STREAM/.test(details)) return fail("unknown", lost);
      break;
    case status.UNAVAILABLE:
      await clock.sleep(doubtMs);
      if (!isConnectedStill(client)) return fail("unknown", lost);
      break;
    default:
  }
  return fail("not-delivered", `the channel "${plugin}" did not deliver it: ${details}`);
}

function isConnectedStill(client: Client): boolean {
  try {
    return client.getChannel().getConnectivityState(false) === connectivityState.READY;
  } catch {
    return false;
  }
}

function toReported(reported: messages.ChannelCapabilities): ReportedChannel {
  const { id, name, threads, files, reactions, edits } = reported;
  const { maxMessageLength, responseFormat, responseFormatPrompt } = reported;
  const { liveUpdates, typing, knowsRepeats } = reported;
  return {
    id,
    name,
    capabilities: {
      threads,
      files,
      reactions,
      edits,
      maxMessageLength: Number(maxMessageLength),
      responseFormat,
      responseFormatPrompt,
    },
    liveUpdates,
    typing,
    knowsRepeats,
  };
}

function toTool(tool: messages.ToolDefinition): ChannelTool {
  const { plugin, description, action, actionDescription, method, url, body, headers } = tool;
  return {
    plugin,
    description,
    action,
    actionDescription,
    method,
    url,
    body,
    headers,
    requiredEnvironment: tool.requiredEnv,
    parameters: tool.parameters.map((parameter) => ({
      name: parameter.name,
      description: parameter.description,
      required: parameter.required,
    })),
  };
}

function toWireMessage(message: messages.InboundMessage): WireMessage {
  const { channelId, kind, conversationId, threadId, senderId, senderName } = message;
  const { content, metadata, timestamp } = message;
  return {
    channelId,
    kind,
    conversationId,
    threadId,
    senderId,
    senderName,
    content,
    files: message.files.map(({ name, mimeType, data }) => ({ name, mimeType, data })),
    metadata,
    timestamp: timestamp === undefined ? "" : `${timestamp.seconds}.${timestamp.nanos}`,
    sentAtMs: toMilliseconds(timestamp),
  };
}

function toMilliseconds(timestamp: Timestamp | undefined): number | undefined {
  if (timestamp === undefined) return undefined;
  const timeMs = Number(timestamp.seconds) * 1_000 + Math.floor(timestamp.nanos / 1e6);
  // Some languages have the year 1 for a time that was never set; dates end at 8.64e15.
  return timeMs > 0 && timeMs <= 8.64e15 ? timeMs : undefined;
}

function toOutbound(message: OutboundMessage, deliveryId: string): messages.OutboundMessage {
  const { conversationId, threadId, content, metadata, files } = message;
  return create(messages.OutboundMessageSchema, {
    deliveryId,
    conversationId: conversationId.toWellFormed(),
    threadId: threadId.toWellFormed(),
    content: content.toWellFormed(),
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([key, value]) => [key.toWellFormed(), value.toWellFormed()]),
    ),
    files: files.map(({ name, mimeType, data }) => ({
      name: name.toWellFormed(),
      mimeType: mimeType.toWellFormed(),
      data,
      size: BigInt(data.byteLength),
    })),
  });
}
