import { once, setMaxListeners } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import * as grpc from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import {
  channelMessages as messages,
  channelServiceMethods,
  messageLimitVariable,
  parseMessageLimit,
} from "@opentalon/protocol";
import {
  toCapabilities,
  toInboundMessage,
  toOutgoingMessage,
  toTools,
} from "./channel-messages.ts";
import type { ChannelDefinition, ChannelContext } from "./define-channel.ts";
import { checkChannelDefinition, UnknownDeliveryError } from "./define-channel.ts";
import { fitMessage } from "./fit-message.ts";
import { channelFolderVariable, endWithParent, takeStandardOutput } from "./own-process.ts";
import { createReceipts, type Receipts } from "./receipts.ts";
import { closeServer, createServer, endGraceMs, listen, toMessage } from "./own-server.ts";

/**
 * Makes this program a channel: a platform people write on. Listens on a socket, and is configured, started and sent to by
 * its host until it is told to stop (SIGINT, SIGTERM) or its host is gone. Resolves once it listens; the process then lives
 * by itself.
 *
 * A host sets OPENTALON_CHANNEL_SOCK_DIR, and the socket is `channel.sock` in there; standard input and output are the
 * channel's own then, so it may talk to a terminal. Started by hand it makes a folder, prints `<id>|unix|<path>` and keeps
 * standard output free. A whole channel stands in `examples/07-channel`.
 *
 * @throws Error when the definition cannot work or no socket can be made.
 * @example
 * await serveChannel({
 *   id: "lines",
 *   name: "Lines",
 *   start: async ({ receive, stopped }) => {
 *     const lines = createInterface({ input: process.stdin });
 *     void stopped.then(() => lines.close());
 *     for await (const content of lines)
 *       await receive({ conversationId: "terminal", senderId: "me", content });
 *   },
 *   send: ({ content }) => console.log(content),
 * });
 */
export async function serveChannel(channel: ChannelDefinition): Promise<void> {
  checkChannelDefinition(channel);
  const life = new AbortController();
  const server = createServer({
    methods: channelServiceMethods,
    handlers: createHandlers(channel, life.signal),
  });
  const close = (): Promise<void> => {
    life.abort();
    return closeServer(server);
  };
  const given = process.env[channelFolderVariable] ?? "";
  if (given !== "") {
    const path = join(given, "channel.sock");
    endWithParent({ leftovers: path, graceMs: endGraceMs, close });
    return listen(server, path);
  }
  const writeToHost = takeStandardOutput();
  const folder = mkdtempSync(join(tmpdir(), "opentalon-channel-"));
  const path = join(folder, "channel.sock");
  endWithParent({ leftovers: folder, graceMs: endGraceMs, close });
  await listen(server, path);
  writeToHost(`${channel.id}|unix|${path}\n`);
}

function createHandlers(
  channel: ChannelDefinition,
  life: AbortSignal,
): grpc.UntypedServiceImplementation {
  const capabilities = toCapabilities(channel);
  const tools = toTools(channel);
  const instance = { id: "", acknowledges: false };
  const receipts = createReceipts();
  const limitBytes = parseMessageLimit(process.env[messageLimitVariable]).bytes;
  const start = createStart({ channel, instance, receipts, limitBytes, life });
  return {
    capabilities: (_call: unknown, answer: sendUnaryData<messages.ChannelCapabilities>) =>
      answer(null, capabilities),
    tools: (_call: unknown, answer: sendUnaryData<messages.ToolsResponse>) => answer(null, tools),
    configure: (
      call: ServerUnaryCall<messages.ConfigureRequest, messages.ConfigureResponse>,
      answer: sendUnaryData<messages.ConfigureResponse>,
    ) => {
      const { config = {}, instanceId, acknowledges } = call.request;
      instance.id = instanceId;
      instance.acknowledges = acknowledges;
      settle(async () => channel.onConfigure?.(config, instanceId)).then(
        () => answer(null, create(messages.ConfigureResponseSchema)),
        (error: unknown) =>
          answer({ code: grpc.status.INVALID_ARGUMENT, details: `configure: ${toMessage(error)}` }),
      );
    },
    start,
    send: (
      call: ServerUnaryCall<messages.OutboundMessage, messages.SendResponse>,
      answer: sendUnaryData<messages.SendResponse>,
    ) => {
      const cancelled = new AbortController();
      call.on("cancelled", () => cancelled.abort());
      settle(() => deliver(channel, call.request, cancelled.signal)).then(
        (posted) => {
          const messageIds = [...(posted?.messageIds ?? [])];
          answer(null, create(messages.SendResponseSchema, { messageIds }));
        },
        (error: unknown) => {
          const isUnknown = error instanceof UnknownDeliveryError;
          const code = isUnknown ? grpc.status.DEADLINE_EXCEEDED : grpc.status.UNKNOWN;
          answer({ code, details: `send: ${toMessage(error)}` });
        },
      );
    },
    acknowledge: (
      call: ServerUnaryCall<messages.AcknowledgeRequest, messages.AcknowledgeResponse>,
      answer: sendUnaryData<messages.AcknowledgeResponse>,
    ) => {
      receipts.acknowledge(call.request.receipt);
      answer(null, create(messages.AcknowledgeResponseSchema));
    },
  };
}

/** A throw becomes a rejection, wherever it happens. */
async function settle<Value>(task: () => Value | Promise<Value>): Promise<Value> {
  return task();
}

function deliver(
  channel: ChannelDefinition,
  message: messages.OutboundMessage,
  signal: AbortSignal,
): ReturnType<ChannelDefinition["send"]> {
  const outgoing = toOutgoingMessage(message);
  // An empty message that only says that somebody writes must not appear as one.
  if (message.metadata["_typing"] !== "true") return channel.send(outgoing, { signal });
  const { conversationId, threadId } = outgoing;
  return channel.typing?.({ conversationId, threadId });
}

type StartCall = ServerWritableStream<unknown, messages.InboundMessage>;

/** What was told in Configure. */
interface Instance {
  readonly id: string;
  readonly acknowledges: boolean;
}

interface StartOptions {
  readonly channel: ChannelDefinition;
  readonly instance: Instance;
  readonly receipts: Receipts;
  /** Longest message the host takes. */
  readonly limitBytes: number;
  readonly life: AbortSignal;
}

/** Answers Start: one run of the channel at a time, for as long as its caller reads and the process may live. */
function createStart({ life, ...options }: StartOptions): (call: StartCall) => void {
  const { channel } = options;
  let running: { readonly signal: AbortSignal; readonly ended: Promise<void> } | undefined;
  return (call) => {
    if (running?.signal.aborted === false) {
      const details = `the channel ${channel.id} is started already`;
      return void call.emit("error", { code: grpc.status.FAILED_PRECONDITION, details });
    }
    const cancelled = new AbortController();
    call.on("cancelled", () => cancelled.abort());
    call.on("error", () => cancelled.abort());
    const signal = AbortSignal.any([life, cancelled.signal]);
    // The earlier run, whose caller is gone, has to let go of the platform first.
    const ended = (running?.ended ?? Promise.resolve())
      .then(() => channel.start(createContext({ ...options, call, signal })))
      .then(
        () => void call.end(),
        (error: unknown) => {
          const details = `start: ${toMessage(error)}`;
          if (signal.aborted) call.end();
          else call.emit("error", { code: grpc.status.UNKNOWN, details });
        },
      )
      .finally(() => cancelled.abort());
    running = { signal, ended };
  };
}

interface ContextOptions extends Omit<StartOptions, "life"> {
  readonly call: StartCall;
  readonly signal: AbortSignal;
}

function createContext(options: ContextOptions): ChannelContext {
  const { channel, instance, receipts, limitBytes, call, signal } = options;
  // As many as the channel hands over at once may wait.
  setMaxListeners(0, call, signal);
  const stopped = new Promise<void>((resolve) => {
    const stop = (): void => {
      receipts.giveUp();
      resolve();
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  return {
    receive: async (message) => {
      if (signal.aborted) throw new Error(stopping);
      const fitting = fitMessage(message, limitBytes);
      const { receipt, isAcknowledged } = instance.acknowledges ? receipts.issue() : untold;
      const inbound = toInboundMessage(fitting, channel.id, receipt);
      if (!call.write(inbound)) await once(call, "drain", { signal }).catch(() => undefined);
      if (!(await isAcknowledged)) throw new Error(stopping);
    },
    stopped,
    signal,
    instanceId: instance.id,
  };
}

/** With a host that does not acknowledge. */
const untold = { receipt: "", isAcknowledged: true };
const stopping = "the channel is being stopped";
