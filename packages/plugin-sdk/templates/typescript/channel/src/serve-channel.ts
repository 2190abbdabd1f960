/** What every channel does: listens on a socket, says what it is, hands over messages, and ends when it is told to. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type JsonObject } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { channelMessages as wire, channelServiceMethods } from "@opentalon/protocol";

export interface Message {
  readonly conversationId: string;
  readonly senderId: string;
  readonly content: string;
}

export interface ChannelDefinition {
  /** Kind of the platform: letters, digits, `_` and `-`. */
  readonly id: string;
  /** Its name, for people to read. */
  readonly name: string;
  /** Takes the `config` of the entry before `start`; what it throws refuses it. */
  readonly onConfigure: (config: JsonObject) => Promise<void>;
  /** Begins to listen to the platform. `receive` resolves when the next message may come. */
  readonly start: (context: { receive: (message: Message) => Promise<void> }) => void;
  /** Resolves once the platform has the message. What it throws is a failed delivery. */
  readonly send: (message: wire.OutboundMessage) => Promise<void>;
}

export async function serveChannel(channel: ChannelDefinition): Promise<void> {
  const given = process.env["OPENTALON_CHANNEL_SOCK_DIR"] ?? "";
  const own = given === "" ? mkdtempSync(join(tmpdir(), "opentalon-channel-")) : undefined;
  const path = join(own ?? given, "channel.sock");
  const server = new grpc.Server({
    "grpc.max_receive_message_length": 32 * 1_024 * 1_024,
    "grpc.max_send_message_length": -1,
  });
  server.addService(channelServiceMethods, toHandlers(channel));
  process.on("exit", () => rmSync(own ?? path, { recursive: true, force: true }));
  const parent = process.ppid;
  const end = (): never => process.exit(0);
  process.on("SIGINT", end).on("SIGTERM", end);
  // A channel whose OpenTalon is gone has nobody to serve.
  setInterval(() => process.ppid !== parent && end(), 1_000).unref();
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  if (own !== undefined) console.log(`${channel.id}|unix|${path}`);
}

type Answer<Value> = grpc.sendUnaryData<Value>;

function toHandlers(channel: ChannelDefinition): grpc.UntypedServiceImplementation {
  const refuse =
    (answer: Answer<never>, code: grpc.status) =>
    (error: unknown): void =>
      answer({ code, details: error instanceof Error ? error.message : String(error) });
  return {
    capabilities: (_call: unknown, answer: Answer<wire.ChannelCapabilities>) => {
      const { id, name } = channel;
      answer(null, create(wire.ChannelCapabilitiesSchema, { id, name }));
    },
    configure: (
      { request }: grpc.ServerUnaryCall<wire.ConfigureRequest, unknown>,
      answer: Answer<wire.ConfigureResponse>,
    ) => {
      channel
        .onConfigure(request.config ?? {})
        .then(
          () => answer(null, create(wire.ConfigureResponseSchema)),
          refuse(answer, grpc.status.INVALID_ARGUMENT),
        );
    },
    tools: (_call: unknown, answer: Answer<wire.ToolsResponse>) =>
      answer(null, create(wire.ToolsResponseSchema)),
    start: (call: grpc.ServerWritableStream<unknown, wire.InboundMessage>) => {
      const receive = async (message: Message): Promise<void> => {
        const timestamp = timestampNow();
        if (call.write(create(wire.InboundMessageSchema, { ...message, timestamp }))) return;
        // A host that reads slowly is waited for, so that messages never pile up here.
        await new Promise((resolve) => call.once("drain", resolve));
      };
      call.on("cancelled", () => call.end());
      channel.start({ receive });
      call.sendMetadata(new grpc.Metadata());
    },
    send: (
      { request }: grpc.ServerUnaryCall<wire.OutboundMessage, unknown>,
      answer: Answer<wire.SendResponse>,
    ) => {
      channel
        .send(request)
        .then(
          () => answer(null, create(wire.SendResponseSchema)),
          refuse(answer, grpc.status.NOT_FOUND),
        );
    },
  };
}
