import type { Socket } from "node:net";
import {
  createDocumentDecoder,
  encodeDocument,
  type GenerationZeroChannelRequest,
  type GenerationZeroChannelResponse,
  type GenerationZeroInbound,
  maxDocumentBytes,
  parseGenerationZeroChannelResponse,
} from "@opentalon/protocol";
import type { Clock } from "../../base/clock.ts";
import { createDeadline } from "../../base/deadline.ts";
import { formatDuration } from "../../base/duration.ts";
import { PluginError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import { toAbortError, untilAborted } from "../../plugins/deadline.ts";
import { DeliveryError } from "../delivery-error.ts";
import type { ChannelWire, TakeMessage, WireMessage } from "./channel-wire.ts";
import { toChannelWords } from "./to-channel-words.ts";

export interface JsonWireOptions {
  readonly plugin: string;
  /** The one connection the channel will ever accept; it was asked for its capabilities already. */
  readonly socket: Socket;
  /** What it has said so far. */
  readonly heard: Buffer;
  readonly maxMessageBytes: number;
  readonly sendTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Bytes of messages that may wait to be taken before the channel is no longer read. */
const maxWaitingBytes = 1_048_576;
/** The same while it owes us answers, which come over the same connection, behind what it has said before. */
const maxWaitingBytesWhileDue = 16 * 1_048_576;
/** What a message takes besides its texts and files. */
const messageBytes = 1_024;

/** The first generation's way to speak to a channel: everything over one connection, answers in the order of questions. */
export function createJsonWire(options: JsonWireOptions): ChannelWire {
  const { plugin, socket, heard, maxMessageBytes, sendTimeoutMs, clock, log } = options;
  const decoder = createDocumentDecoder(Math.min(maxMessageBytes, maxDocumentBytes));
  const fail = (reason: "unavailable" | "protocol-violated", problem: string): PluginError =>
    new PluginError(plugin, reason, `the plugin "${plugin}" ${problem}`);

  type Answer = PromiseWithResolvers<GenerationZeroChannelResponse>;
  const due: Answer[] = [];
  const waiting: { readonly message: WireMessage; readonly bytes: number }[] = [];
  let waitingBytes = 0;
  let take: TakeMessage | undefined;
  let isTaking = false;
  const ended = new AbortController();
  const drained = Promise.withResolvers<void>();
  drained.promise.catch(() => undefined);

  const expect = (): Promise<GenerationZeroChannelResponse> => {
    const answer: Answer = Promise.withResolvers();
    answer.promise.catch(() => undefined);
    due.push(answer);
    return answer.promise;
  };

  const regulate = (): void => {
    const limit = due.length > 0 ? maxWaitingBytesWhileDue : maxWaitingBytes;
    if (waitingBytes > limit) socket.pause();
    else if (socket.isPaused()) socket.resume();
  };

  const takeAll = async (): Promise<void> => {
    if (isTaking || take === undefined) return;
    isTaking = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      waitingBytes -= next.bytes;
      regulate();
      await take(next.message);
    }
    isTaking = false;
    if (!ended.signal.aborted) return;
    const reason: unknown = ended.signal.reason;
    if (reason === endedOrderly) drained.resolve();
    else drained.reject(reason);
  };

  const hear = (bytes: Buffer): void => {
    try {
      for (const document of decoder.push(bytes)) {
        const response = parseGenerationZeroChannelResponse(document);
        if (response.message === undefined) {
          due.shift()?.resolve(response);
          continue;
        }
        const message = toWireMessage(response.message);
        const size = toSize(message);
        waiting.push({ message, bytes: size });
        waitingBytes += size;
      }
      regulate();
      void takeAll();
    } catch (error) {
      end(fail("protocol-violated", `sent what cannot be read: ${toMessage(error)}`));
    }
  };

  const end = (reason: Error): void => {
    if (ended.signal.aborted) return;
    ended.abort(reason);
    socket.destroy();
    const problem = reason === endedOrderly ? fail("unavailable", "closed its connection") : reason;
    for (const answer of due.splice(0)) answer.reject(problem);
    void takeAll();
  };

  const firstAnswer = expect();
  socket.on("data", hear);
  socket.once("close", () => {
    const isCut = decoder.pending() > 0;
    end(
      isCut
        ? fail("protocol-violated", "closed its connection in the middle of a message")
        : endedOrderly,
    );
  });
  hear(heard);

  const ask = (request: GenerationZeroChannelRequest): Promise<GenerationZeroChannelResponse> => {
    const frame = encodeDocument(request);
    const answer = expect();
    if (ended.signal.aborted) end(fail("unavailable", "closed its connection"));
    socket.write(frame);
    regulate();
    return answer;
  };

  return {
    capabilities: async (signal) => {
      const { capabilities, error } = await untilAborted(plugin, signal, firstAnswer);
      if (capabilities === undefined) {
        const why = error === "" ? "" : `: ${error.slice(0, 1_000)}`;
        throw fail("protocol-violated", `does not say what it can do${why}`);
      }
      const { id, name, ...rest } = capabilities;
      return {
        id,
        name,
        capabilities: rest,
        liveUpdates: false,
        typing: false,
        knowsRepeats: false,
      };
    },
    configure: async (config) => {
      if (Object.keys(config).length > 0)
        log.warn("this channel speaks the first wire generation, which knows no configuration");
    },
    tools: () => Promise.resolve([]),
    receive: async (takeMessage) => {
      const { error } = await ask({ method: "start" });
      if (error !== "") throw fail("unavailable", `cannot listen: ${error.slice(0, 1_000)}`);
      take = takeMessage;
      void takeAll();
      return drained.promise;
    },
    send: async (message) => {
      const refuse = (outcome: DeliveryError["outcome"], problem: string): DeliveryError =>
        new DeliveryError(`the channel "${plugin}" ${problem}`, { outcome });
      if (ended.signal.aborted) throw refuse("not-delivered", "is not connected");
      let answer: Promise<GenerationZeroChannelResponse>;
      try {
        answer = ask({ method: "send", msg: toOutbound(message) });
      } catch (error) {
        throw refuse("not-delivered", `cannot be sent this: ${toMessage(error)}`);
      }
      using deadline = createDeadline({
        clock,
        timeoutMs: sendTimeoutMs,
        toError: () =>
          new PluginError(
            plugin,
            "timed-out",
            `the channel "${plugin}" did not say within ${formatDuration(sendTimeoutMs)} whether the platform has the message`,
          ),
      });
      let error: string;
      try {
        ({ error } = await untilAborted(plugin, deadline.signal, answer));
      } catch (cause) {
        const problem = toChannelWords(plugin, toMessage(cause));
        throw new DeliveryError(problem, { outcome: "unknown", cause });
      }
      if (error !== "")
        throw refuse("not-delivered", `did not deliver it: ${error.slice(0, 1_000)}`);
      return { messageIds: [] };
    },
    close: (reason) => {
      const controller = new AbortController();
      controller.abort(reason);
      end(toAbortError(plugin, controller.signal));
    },
  };
}

/** Why a connection is over that the channel closed between two messages. */
const endedOrderly = new Error("the channel closed its connection");

function toSize({ content, files, metadata }: WireMessage): number {
  const texts = Object.entries(metadata).flat();
  return [content, ...texts].reduce(
    (sum, { length }) => sum + 2 * length,
    files.reduce((sum, { data }) => sum + data.byteLength, messageBytes),
  );
}

function toWireMessage(message: GenerationZeroInbound): WireMessage {
  const timeMs = Date.parse(message.timestamp);
  // Some languages write the year 1 for a time that was never set.
  const isTold = !Number.isNaN(timeMs) && timeMs > 0;
  return {
    ...message,
    timestamp: isTold ? message.timestamp : "",
    sentAtMs: isTold ? timeMs : undefined,
  };
}

function toOutbound({ conversationId, threadId, content, files, metadata }: OutboundMessage) {
  return {
    conversation_id: conversationId,
    thread_id: threadId,
    content,
    ...(files.length === 0 ? {} : { files: files.map(toFile) }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

function toFile({ name, mimeType, data }: OutboundMessage["files"][number]) {
  const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return { name, mime_type: mimeType, data: base64, size: data.byteLength };
}
