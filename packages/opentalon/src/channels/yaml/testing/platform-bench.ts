import type { Channel } from "../../../domain/channel.ts";
import { createRecentLines } from "../../../plugins/recent-lines.ts";
import { systemClock } from "../../../base/clock.ts";
import { createSilentLog } from "../../../base/create-log.ts";
import type { ChannelBench } from "../../testing/contract/channel-bench.ts";
import { startPlainDoor } from "../../testing/plain-door.ts";
import { createSteadyCaller } from "../../testing/steady-caller.ts";
import type { YamlChannel } from "../yaml-channel.ts";
import { createBundledChannel } from "./bundled-channel.ts";
import type { StubRequest, StubServer } from "./stub-server.ts";
import { createVolatileMemory } from "./volatile-memory.ts";

/** A platform in a process of the test. */
export interface PlatformStub extends AsyncDisposable {
  readonly server: StubServer;
  /** Texts that stand in conversations now. */
  readonly texts: () => readonly string[];
  /** Files of answers. */
  readonly files: () => readonly { readonly name: string; readonly bytes: Buffer }[];
}

export interface PlatformBenchOptions {
  /** Of the bundled definition. */
  readonly id: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly stub: PlatformStub;
  /** Whether a request brings a message to people. */
  readonly isDelivery: (request: StubRequest) => boolean;
}

export type PlatformBench = Omit<ChannelBench, "say"> & {
  readonly reopen: () => Promise<Channel>;
  /** The newest line of the log that fits. */
  readonly findLine: (words: RegExp) => string;
};

const refusal = "could not be taken";

/** What benches of bundled definitions have in common; how people say something is each one's own. */
export function createPlatformBench(
  { id, config, stub, isDelivery }: PlatformBenchOptions,
  onOpen: (channel: YamlChannel) => void = () => {},
): PlatformBench {
  const lines = createRecentLines(systemClock);
  const log = lines.record(createSilentLog());
  const memory = createVolatileMemory();
  const open = (): YamlChannel => {
    const opened = createBundledChannel(id, config, { memory, log });
    onOpen(opened);
    return opened;
  };
  let channel = open();
  return {
    get channel() {
      return channel;
    },
    readReplies: stub.texts,
    readFiles: () => stub.files().map(({ name, bytes }) => ({ name, size: bytes.length })),
    sawRefusal: () => stub.texts().some((text) => text.includes(refusal)),
    isReleased: () => stub.server.openConnections() === 0,
    reopen: async () => {
      await channel[Symbol.asyncDispose]();
      return (channel = open());
    },
    readLive: () => stub.texts().join("\n"),
    slowDown: () => {
      const gate = Promise.withResolvers<undefined>();
      stub.server.intercept((request) => (isDelivery(request) ? gate.promise : undefined));
      return () => {
        stub.server.intercept(undefined);
        gate.resolve(undefined);
      };
    },
    findLine: (words) => lines.last(50).findLast(({ text }) => words.test(text))?.text ?? "",
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await stub[Symbol.asyncDispose]();
    },
  };
}

/** One call of a platform. */
export interface PlatformCall {
  readonly body: string | Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface PostingBenchOptions extends PlatformBenchOptions {
  /** Where the platform posts to. */
  readonly path: string;
  /** What happened, as the platform tells it, unsigned. */
  readonly toBody: (content: string, more?: object) => string;
  /** With what proves where it comes from. */
  readonly sign: (body: string | Buffer) => PlatformCall;
  readonly forge: (body: string) => PlatformCall;
  /** The same call long after; one that proves nothing about time comes as it was. */
  readonly replay: (body: string) => PlatformCall;
}

export type PostingBench = Omit<ChannelBench, "say"> & {
  /** `more` is handed to `toBody`. */
  readonly say: (content: string, more?: object) => Promise<void>;
};

/** A platform that posts its events to us. */
export async function openPostingBench(options: PostingBenchOptions): Promise<PostingBench> {
  const { path, toBody, sign, forge, replay } = options;
  const routes: NonNullable<YamlChannel["routes"]>[number][] = [];
  const door = await startPlainDoor(routes);
  const bench = createPlatformBench(options, (channel) =>
    routes.splice(0, routes.length, ...(channel.routes ?? [])),
  );
  const caller = createSteadyCaller();
  let newest = "";
  const post = async ({ body, headers }: PlatformCall): Promise<string> =>
    String((await caller.post(door.url + path, body, headers)).status);
  const say = async (content: string, more: object = {}): Promise<void> => {
    newest = toBody(content, more);
    await post(sign(newest));
  };
  const [before = "", after = ""] = toBody("TEXT").split("TEXT");
  return {
    ...bench,
    get channel() {
      return bench.channel;
    },
    say,
    sayAll: async (contents) => {
      for (const content of contents) await say(content);
    },
    redeliver: async () => void (await post(sign(newest))),
    breakConnection: async () => door.cut(),
    sayForged: () => post(forge(toBody("forged"))),
    replay: () => post(replay(newest)),
    sayInvalidUtf8: () =>
      post(
        sign(
          Buffer.concat([Buffer.from(before), Buffer.from([0x61, 0xff, 0x62]), Buffer.from(after)]),
        ),
      ),
    sayOversize: () => post(sign(toBody("x".repeat(1_100_000)))),
    [Symbol.asyncDispose]: async () => {
      caller[Symbol.dispose]();
      await bench[Symbol.asyncDispose]();
      await door[Symbol.asyncDispose]();
    },
  };
}
