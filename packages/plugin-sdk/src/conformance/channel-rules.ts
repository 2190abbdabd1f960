import type { Client, ClientReadableStream } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { channelMessages as messages, channelServiceMethods as methods } from "@opentalon/protocol";
import { callUnary, createGrpcClient, toNoReply } from "../testing-kit/grpc-call.ts";
import { within } from "../testing-kit/patience.ts";
import { startProcess } from "../testing-kit/plugin-process.ts";
import type { Reply } from "../testing-kit/reply.ts";
import { isInvalidArgument, isUnimplemented } from "../testing-kit/reply.ts";
import type { Bench, BenchOptions, Connection, Session } from "./bench.ts";
import { createBench } from "./bench.ts";
import { disappearMidCall } from "./disappear.ts";
import type { Rule } from "./rule.ts";
import { broken, kept, notApplicable, NotReached, toVerdict } from "./rule.ts";

interface ChannelSession extends Session {
  readonly client: Client;
  readonly capabilities: messages.ChannelCapabilities;
  readonly configured: Reply<unknown>;
}

type ChannelBench = Bench<ChannelSession>;

const formats: readonly string[] = "text markdown slack html telegram teams whatsapp discord".split(
  " ",
);
/** How long a channel is watched after Start, in milliseconds: a wrong token shows by then. */
const watchMs = 1_000;
const instanceId = "opentalon-conformance";

export function createChannelBench(
  options: Omit<BenchOptions<ChannelSession>, "introduce">,
): ChannelBench {
  const { limits, configJson } = options;
  const patience = { timeoutMs: limits.introductionMs };
  return createBench<ChannelSession>({
    ...options,
    introduce: async (opened) => {
      const client = createGrpcClient(opened.address);
      const told = await callUnary(client, methods.capabilities, create(EmptySchema), patience);
      if (told.kind !== "reply") {
        client.close();
        throw new NotReached(`Capabilities ${told.words}`);
      }
      const config = JSON.parse(configJson) as Record<string, never>;
      const request = create(messages.ConfigureRequestSchema, { config, instanceId });
      const configured = await callUnary(client, methods.configure, request, patience);
      return {
        ...toConnection(client, limits.callMs),
        opened,
        client,
        capabilities: told.value,
        configured,
        connect: () => toConnection(createGrpcClient(opened.address), limits.callMs),
      };
    },
  });
}

export const channelRules: readonly Rule<ChannelBench>[] = [
  {
    name: "channel-capabilities",
    level: "must",
    title: "It says what its platform can do, under an `id` of letters, digits, `_` and `-`",
    remedy: "answer Capabilities with the kind of the platform as `id`, such as `slack`",
    check: async (bench) => {
      try {
        const { capabilities } = await bench.session();
        const { id, maxMessageLength } = capabilities;
        return toVerdict(
          [
            ...(/^[a-zA-Z0-9_-]{1,64}$/.test(id)
              ? []
              : [`its id is ${JSON.stringify(id.slice(0, 70))}`]),
            ...(maxMessageLength < 0n ? ["its longest message has less than no characters"] : []),
          ],
          `"${id}"`,
        );
      } catch (error) {
        if (error instanceof NotReached) return broken(error.message);
        throw error;
      }
    },
  },
  {
    name: "response-format",
    level: "should",
    title: "How texts are written there is one of the known ways",
    remedy: `use one of ${formats.join(", ")}, or nothing`,
    check: async (bench) => {
      const { responseFormat, responseFormatPrompt } = (await bench.session()).capabilities;
      return toVerdict([
        ...(responseFormat === "" || formats.includes(responseFormat)
          ? []
          : [`it says "${responseFormat.slice(0, 50)}"`]),
        ...(Buffer.byteLength(responseFormatPrompt) > 500
          ? ["its words for the model have more than 500 bytes"]
          : []),
      ]);
    },
  },
  {
    name: "configure",
    level: "must",
    title: "It takes its configuration and its instance, also when there is nothing to configure",
    remedy:
      "answer Configure with an empty `config`; refuse what is wrong with INVALID_ARGUMENT and words",
    check: async (bench) => {
      const { configured } = await bench.session();
      if (configured.kind === "reply") return kept();
      if (isInvalidArgument(configured) && !bench.hasConfig)
        return kept("it refuses an empty configuration");
      return broken(`it ${configured.words}`);
    },
  },
  {
    name: "tools",
    level: "must",
    title: "It lists its tools, or leaves Tools out",
    remedy: "each tool needs an action, a method and a URL",
    check: async (bench) => {
      const { client } = await bench.session();
      const patience = { timeoutMs: bench.limits.callMs };
      const reply = await callUnary(client, methods.tools, create(EmptySchema), patience);
      if (isUnimplemented(reply)) return kept("it has none");
      if (reply.kind !== "reply") return broken(`it ${reply.words}`);
      return toVerdict(
        reply.value.tools
          .filter(({ action, method, url }) => [action, method, url].includes(""))
          .map(({ action }) => `"${action}" lacks an action, a method or a URL`),
        `${reply.value.tools.length} actions`,
      );
    },
  },
  {
    name: "start",
    level: "must",
    title: "Start opens a stream that stays open, or ends in good order",
    remedy:
      "stream what people write for as long as the platform is listened to; end with a status only when it cannot be",
    check: async (bench) => {
      const session = await bench.session();
      const problem = findRefusal(session, bench);
      if (problem !== undefined) return notApplicable(problem);
      const { ending, stream } = start(session.client);
      const end = await within(watchMs, ending);
      stream.cancel();
      if (end === undefined) return kept("it stays open");
      return end === "" ? kept("it ended in good order") : broken(`it ${end}`);
    },
  },
  {
    name: "start-again",
    level: "must",
    title: "It goes on when its host stops reading, and can be started again",
    remedy: "stop listening to the platform when the stream is cancelled, and keep the process",
    check: async (bench) => {
      const session = await bench.session();
      const problem = findRefusal(session, bench);
      if (problem !== undefined) return notApplicable(problem);
      for (let round = 0; round < 2; round += 1) {
        const { ending, stream } = start(session.client);
        const end = await within(300, ending);
        stream.cancel();
        if (end === undefined || end === "") continue;
        const processEnd = await within(300, session.opened.process.ended);
        if (processEnd !== undefined) return broken(`it ${processEnd.words}`);
        return round > 0 ? broken(`the second time it ${end}`) : notApplicable(`it ${end}`);
      }
      const { path, requestSerialize } = methods.start;
      const message = requestSerialize(create(EmptySchema));
      await disappearMidCall(session.opened.address, path, message, 50);
      return toVerdict(await damage(session));
    },
  },
  {
    name: "send",
    level: "must",
    title: "A message to a conversation that does not exist is answered, well or with a status",
    remedy: "answer Send once the platform has the message; say what went wrong by a status",
    check: async (bench) => {
      const session = await bench.session();
      const message = create(messages.OutboundMessageSchema, {
        conversationId: "opentalon-conformance",
        content: "A message of the conformance test",
      });
      const patience = { timeoutMs: bench.limits.callMs };
      const reply = await callUnary(session.client, methods.send, message, patience);
      if (reply.kind !== "reply" && reply.kind !== "status") return broken(`it ${reply.words}`);
      return toVerdict(await damage(session), reply.kind === "reply" ? "" : `it ${reply.words}`);
    },
  },
  {
    name: "typing",
    level: "should",
    title: "An empty message with `_typing` is taken, and appears nowhere",
    remedy: "show that somebody writes, or do nothing, when metadata has `_typing` = `true`",
    check: async (bench) => {
      const { client } = await bench.session();
      const message = create(messages.OutboundMessageSchema, {
        conversationId: "opentalon-conformance",
        metadata: { _typing: "true" },
      });
      const patience = { timeoutMs: bench.limits.callMs };
      const reply = await callUnary(client, methods.send, message, patience);
      return reply.kind === "reply" ? kept() : broken(`it ${reply.words}`);
    },
  },
  {
    name: "stands-alone",
    level: "should",
    title: "Without OPENTALON_CHANNEL_SOCK_DIR it says <id>|unix|<path> on standard output",
    remedy: "make a folder of your own when the variable is not set, and say where the socket is",
    check: async (bench) => {
      const { id } = (await bench.session()).capabilities;
      const process = startProcess({ command: bench.command, env: bench.env });
      const [line] = await new Promise<readonly string[]>((resolve) => {
        const timer = setTimeout(() => resolve([]), Math.min(bench.limits.handshakeMs, 10_000));
        const settle = (lines: readonly string[]): void => {
          clearTimeout(timer);
          resolve(lines);
        };
        process.stdout.watch((said) => settle([said]));
        void process.ended.then(() => settle([]));
      });
      await process.stop(bench.limits.stopMs);
      if (line === undefined) return broken("it said nothing");
      const [said = "", network = ""] = line.split("|");
      const isExpected = /^(?:unix|tcp)$/.test(network) && (said === id || id === "");
      return isExpected ? kept() : broken(`it said ${JSON.stringify(line.slice(0, 100))}`);
    },
  },
  {
    name: "ends-well",
    level: "must",
    title: "Its stream ends, and it exits with 0, on SIGINT",
    remedy: "catch SIGINT, end the stream, remove the socket and exit with 0",
    check: async (bench) => {
      const session = await bench.session();
      const { ending } = start(session.client);
      await within(100, ending);
      const { wasKilled, end } = await bench.stopping();
      if (wasKilled) return notApplicable("it had to be killed");
      return end.code === 0 ? kept() : broken(`it ${end.words}`);
    },
  },
];

/** Why the channel cannot be started; nothing when it can. */
function findRefusal(
  { configured }: ChannelSession,
  { hasConfig }: ChannelBench,
): string | undefined {
  if (configured.kind === "reply") return undefined;
  const hint = hasConfig ? "" : "; give it one with --config";
  return `it refuses its configuration${hint}`;
}

/** A started channel; `ending` gives what ended the stream, an empty text for a good end. */
function start(client: Client): {
  readonly stream: ClientReadableStream<messages.InboundMessage>;
  readonly ending: Promise<string>;
} {
  const { path, requestSerialize, responseDeserialize } = methods.start;
  const stream = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    create(EmptySchema),
    new Metadata(),
  );
  stream.on("data", () => {});
  const ending = new Promise<string>((resolve) => {
    stream.on("error", (error: unknown) => resolve(toNoReply(error).words));
    // An error comes first when there is one.
    stream.on("end", () => setImmediate(() => resolve("")));
  });
  return { stream, ending };
}

async function damage(session: ChannelSession): Promise<readonly string[]> {
  const problem = await session.probe();
  return problem === undefined ? [] : [`afterwards ${problem}`];
}

function toConnection(client: Client, callMs: number): Connection {
  return {
    probe: async (timeoutMs = callMs) => {
      const reply = await callUnary(client, methods.capabilities, create(EmptySchema), {
        timeoutMs,
      });
      return reply.kind === "reply" ? undefined : `Capabilities ${reply.words}`;
    },
    close: () => client.close(),
  };
}
