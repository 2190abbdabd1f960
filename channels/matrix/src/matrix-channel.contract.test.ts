import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeChannelContract } from "../../../packages/opentalon/src/channels/channel.contract.ts";
import {
  openProgramChannel,
  type ProgramChannel,
} from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import { eventually } from "./testing/eventually.ts";
import { ada, bot, startHomeserverStub, type ShownMessage } from "./testing/homeserver-stub.ts";

const asksOnly = "it asks the homeserver, nobody can send to it";

describeChannelContract(
  "matrix",
  async () => {
    const homeserver = await startHomeserverStub();
    // Where answers to nothing go, too.
    const room = homeserver.openDirectChat(ada, "c");
    const roots = { first: homeserver.say(room, "one"), second: homeserver.say(room, "two") };
    const dataDirectory = await mkdtemp(join(tmpdir(), "opentalon-test-"));
    const opened: ProgramChannel[] = [];
    const open = async (): Promise<ProgramChannel> => {
      const config = { homeserver: homeserver.url, access_token: bot.token };
      const program = join(import.meta.dirname, "main.ts");
      const next = await openProgramChannel({ program, config, dataDirectory });
      opened.push(next);
      return next;
    };
    const close = async (): Promise<void> => {
      for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
    };
    const { channel } = await open();

    const isRefusal = ({ body }: ShownMessage): boolean =>
      body.startsWith("This message was not taken");
    const readTexts = (): readonly string[] =>
      homeserver
        .shown()
        .filter((message) => !isRefusal(message) && message.content["url"] === undefined)
        .map(({ body }) => body);
    const toThread = (root: string): Record<string, unknown> => ({
      "m.relates_to": { rel_type: "m.thread", event_id: root },
    });
    /** What was said before it listened is not answered. */
    const listening = (): Promise<void> =>
      eventually(() => {
        const isNew = homeserver.calls(/\/sync$/).some(({ query }) => query.has("since"));
        if (!isNew) throw new Error("it does not listen yet");
      });
    const say = async (content: string, more: Record<string, unknown> = {}): Promise<void> => {
      await listening();
      homeserver.say(room, content, more);
    };

    return {
      channel,
      say: (content) => say(content),
      readReplies: readTexts,
      sawRefusal: () => homeserver.shown().some(isRefusal),
      isReleased: () => homeserver.openConnections() === 0,
      sayInThread: (content, thread) => say(content, toThread(roots[thread])),
      readThread: (thread) =>
        homeserver
          .shown()
          .filter(({ content }) => {
            const relation = content["m.relates_to"] as { event_id?: string } | undefined;
            return relation?.event_id === roots[thread];
          })
          .map(({ body }) => body),
      sayWithFile: async (content) => {
        const file = { name: "notes.txt", mimeType: "text/plain", data: Buffer.from("a\0ü") };
        const url = homeserver.addMedia(file.data, file.mimeType);
        await say(content, { msgtype: "m.file", filename: file.name, url });
        return file;
      },
      readFiles: () =>
        homeserver.shown().flatMap(({ content }) => {
          const file = homeserver.media.get(String(content["url"]));
          return file ? [{ name: String(content["filename"]), size: file.data.length }] : [];
        }),
      redeliver: async () => homeserver.repeat(room, ada),
      reopen: async () => {
        await close();
        return (await open()).channel;
      },
      breakConnection: async () => homeserver.hangUp(),
      readLive: () => readTexts().join("\n"),
      slowDown: () => {
        const gate = Promise.withResolvers<void>();
        homeserver.intercept((request) =>
          request.path.includes("/send/")
            ? gate.promise.then(() => homeserver.perform(request))
            : undefined,
        );
        return () => {
          homeserver.intercept(undefined);
          gate.resolve();
        };
      },
      sayInvalidUtf8: async () => {
        homeserver.intercept(async (request) => {
          const answer = await homeserver.perform(request);
          if (!request.path.endsWith("/sync")) return answer;
          const text = JSON.stringify(answer.json).replaceAll("a??b", "a\u00ffb");
          return { bytes: Buffer.from(text, "latin1") };
        });
        homeserver.hangUp();
        await say("a??b");
        return "replaced";
      },
      [Symbol.asyncDispose]: async () => {
        await close();
        await homeserver[Symbol.asyncDispose]();
        await rm(dataDirectory, { recursive: true, force: true });
      },
    };
  },
  {
    forgery: asksOnly,
    replay: asksOnly,
    oversize: "homeservers take no message over 64 KiB",
  },
);
