import type { ClientReadableStream } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema, timestampDate } from "@bufbuild/protobuf/wkt";
import { channelMessages as messages, channelServiceMethods as methods } from "@opentalon/protocol";
import { callUnary, createGrpcClient, toNoReply } from "./grpc-call.ts";
import type { StartedProcess, StartOptions } from "./launch.ts";
import { introductionMs, launchChannel, toPluginError, toStartedProcess } from "./launch.ts";
import { within } from "./patience.ts";
import type { Patience, Reply } from "./reply.ts";
import { isUnimplemented } from "./reply.ts";

export interface StartChannelOptions extends StartOptions {
  /** Key of the channel's entry; `test` unless given. */
  readonly instanceId?: string | undefined;
  /** Whether what `receive` returns is acknowledged, as OpenTalon does once it is on disk; true unless given. */
  readonly acknowledges?: boolean | undefined;
}

/** A message of a person, as the channel handed it over. Empty texts for what it left out. */
export interface ReceivedMessage {
  readonly conversationId: string;
  readonly threadId: string;
  readonly senderId: string;
  readonly senderName: string;
  readonly content: string;
  readonly kind: string;
  readonly files: readonly {
    readonly name: string;
    readonly mimeType: string;
    readonly data: Uint8Array;
  }[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly sentAt: Date | undefined;
}

/** An answer to deliver. */
export interface SentMessage {
  readonly conversationId: string;
  readonly content: string;
  readonly threadId?: string;
  readonly files?: readonly {
    readonly name: string;
    readonly mimeType: string;
    readonly data: Uint8Array;
  }[];
  readonly metadata?: Readonly<Record<string, string>>;
  /** Names the delivery. */
  readonly deliveryId?: string;
}

/** What the channel said its platform can do. */
export interface ReportedChannel {
  readonly id: string;
  readonly name: string;
  readonly threads: boolean;
  readonly files: boolean;
  readonly reactions: boolean;
  readonly edits: boolean;
  readonly maxMessageLength: number;
  readonly responseFormat: string;
  readonly responseFormatPrompt: string;
}

export interface StartedChannel extends StartedProcess {
  readonly capabilities: ReportedChannel;
  /** Its tools, one for each action. */
  readonly tools: readonly {
    readonly action: string;
    readonly method: string;
    readonly url: string;
  }[];
  /** The last 1,000 lines it wrote to standard output: a channel may own the terminal. The growing array itself. */
  readonly stdout: readonly string[];
  /** Types a text at its standard input; `undefined` ends it. */
  readonly type: (text: string | undefined) => void;
  /**
   * The next message it hands over, in order.
   * @throws Error when none comes within `timeoutMs` (10,000 unless given), or the channel ended.
   */
  readonly receive: (patience?: { readonly timeoutMs?: number }) => Promise<ReceivedMessage>;
  /**
   * Has it say something; resolves once it says that the platform has it, with the platform's identifiers of it.
   * @throws Error with its words when it failed.
   */
  readonly send: (
    message: SentMessage,
    patience?: Partial<Patience>,
  ) => Promise<{ readonly messageIds: readonly string[] }>;
  /** Resolves when its stream of messages ended in good order; rejects when it failed. */
  readonly ended: Promise<void>;
}

/**
 * Starts a real channel, in whatever language, the way OpenTalon does: a folder for its socket, Capabilities, Configure,
 * Tools, Start. Its standard input and output are there for the test, which plays the terminal.
 *
 * @throws Error when it does not start or refuses `config`, with the last lines it wrote to standard error. Nothing of it
 *   is left then.
 * @example
 * await using chat = await startChannel({ command: [process.execPath, "examples/07-channel/main.ts"] });
 * chat.type("hello\n");
 * assert.equal((await chat.receive()).content, "hello");
 */
export async function startChannel(options: StartChannelOptions): Promise<StartedChannel> {
  const { process, address } = await launchChannel(options);
  const client = createGrpcClient(address);
  const patience = { timeoutMs: introductionMs };
  const demand = async <Value>(name: string, question: Promise<Reply<Value>>): Promise<Value> => {
    const reply = await question;
    if (reply.kind === "reply") return reply.value;
    client.close();
    await process.stop(0);
    throw toPluginError(process, `${reply.words} (${name})`);
  };
  const told = await demand(
    "Capabilities",
    callUnary(client, methods.capabilities, create(EmptySchema), patience),
  );
  const { config = {}, instanceId = "test", acknowledges = true } = options;
  const request = create(messages.ConfigureRequestSchema, {
    config: JSON.parse(JSON.stringify(config)) as Record<string, never>,
    instanceId,
    acknowledges,
  });
  await demand("Configure", callUnary(client, methods.configure, request, patience));
  const tools = await callUnary(client, methods.tools, create(EmptySchema), patience);
  const listed = isUnimplemented(tools)
    ? []
    : (await demand("Tools", Promise.resolve(tools))).tools;

  const { path, requestSerialize, responseDeserialize } = methods.start;
  const stream = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    create(EmptySchema),
    new Metadata(),
  );
  const inbox = createInbox(stream);
  const started = toStartedProcess(process, () => {
    stream.cancel();
    client.close();
  });
  return {
    ...started,
    capabilities: toReported(told),
    tools: listed.map(({ action, method, url }) => ({ action, method, url })),
    stdout: process.stdout.lines,
    type: (text) => void (text === undefined ? process.stdin.end() : process.stdin.write(text)),
    receive: async ({ timeoutMs = defaultTimeoutMs } = {}) => {
      const next = inbox.next();
      const message = await within(timeoutMs, next.message);
      if (message !== undefined) {
        const { receipt } = message;
        if (acknowledges && receipt !== "") {
          const acknowledgement = create(messages.AcknowledgeRequestSchema, { receipt });
          await callUnary(client, methods.acknowledge, acknowledgement, patience);
        }
        return toReceived(message);
      }
      next.giveUp();
      const problem = inbox.problem() ?? `handed over no message within ${timeoutMs} ms`;
      throw toPluginError(process, problem);
    },
    send: async (message, { timeoutMs = defaultTimeoutMs, signal } = {}) => {
      const reply = await callUnary(client, methods.send, toOutbound(message), {
        timeoutMs,
        signal,
      });
      if (reply.kind !== "reply") throw toPluginError(process, `${reply.words} (Send)`);
      return { messageIds: reply.value.messageIds };
    },
    ended: inbox.ended,
  };
}

const defaultTimeoutMs = 10_000;

interface Inbox {
  readonly next: () => {
    /** `undefined` when the stream ended. */
    readonly message: Promise<messages.InboundMessage | undefined>;
    readonly giveUp: () => void;
  };
  readonly problem: () => string | undefined;
  readonly ended: Promise<void>;
}

/** Keeps what arrives until it is asked for, 1,000 messages at most; then the channel has to wait. */
function createInbox(stream: ClientReadableStream<messages.InboundMessage>): Inbox {
  const arrived: messages.InboundMessage[] = [];
  let waiting: ((message: messages.InboundMessage | undefined) => void)[] = [];
  let problem: string | undefined;
  stream.on("data", (message: messages.InboundMessage) => {
    const taker = waiting.shift();
    if (taker !== undefined) return taker(message);
    arrived.push(message);
    if (arrived.length >= 1_000) stream.pause();
  });
  const finish = (words: string): void => {
    problem ??= words;
    for (const taker of waiting.splice(0)) taker(undefined);
  };
  const ended = new Promise<void>((resolve, reject) => {
    stream.on("end", () => {
      finish("ended its stream of messages");
      resolve();
    });
    stream.on("error", (error) => {
      const { words } = toNoReply(error);
      finish(`${words} (Start)`);
      reject(new Error(`the channel ${words} (Start)`));
    });
  });
  ended.catch(() => {});
  return {
    next: () => {
      const message = arrived.shift();
      stream.resume();
      if (message !== undefined || problem !== undefined)
        return { message: Promise.resolve(message), giveUp: () => {} };
      let taker: (message: messages.InboundMessage | undefined) => void = () => {};
      const coming = new Promise<messages.InboundMessage | undefined>((resolve) => {
        taker = resolve;
      });
      waiting.push(taker);
      const giveUp = (): void => {
        waiting = waiting.filter((other) => other !== taker);
      };
      return { message: coming, giveUp };
    },
    problem: () => problem,
    ended,
  };
}

function toReported(told: messages.ChannelCapabilities): ReportedChannel {
  const { id, name, threads, files, reactions, edits } = told;
  const { maxMessageLength, responseFormat, responseFormatPrompt } = told;
  return {
    id,
    name,
    threads,
    files,
    reactions,
    edits,
    responseFormat,
    responseFormatPrompt,
    maxMessageLength: Number(maxMessageLength),
  };
}

function toReceived(message: messages.InboundMessage): ReceivedMessage {
  const { conversationId, threadId, senderId, senderName, content, kind, metadata } = message;
  return {
    conversationId,
    threadId,
    senderId,
    senderName,
    content,
    kind,
    metadata,
    files: message.files.map(({ name, mimeType, data }) => ({ name, mimeType, data })),
    sentAt: message.timestamp === undefined ? undefined : timestampDate(message.timestamp),
  };
}

function toOutbound(message: SentMessage): messages.OutboundMessage {
  const { conversationId, content, threadId = "", files = [], metadata = {} } = message;
  const { deliveryId = "" } = message;
  return create(messages.OutboundMessageSchema, {
    conversationId,
    content,
    threadId,
    deliveryId,
    files: files.map(({ name, mimeType, data }) => ({
      name,
      mimeType,
      data: Uint8Array.from(data),
      size: BigInt(data.byteLength),
    })),
    metadata: { ...metadata },
  });
}
