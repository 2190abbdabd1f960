import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findFreePort } from "../packages/opentalon/src/base/testing/find-free-port.ts";
import {
  createModelServer,
  type ModelServer,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { type CoreProcess, startCore } from "./support/core-process.ts";
import type { Mode } from "./support/modes/mode.ts";
import {
  createSlackEventsMode,
  createSlackMode,
  createTeamsMode,
  createTelegramMode,
  createWhatsAppMode,
} from "./support/modes/platform-modes.ts";
import {
  createDialledMode,
  createInboundMode,
  createProgramMode,
  createWebChatMode,
  createWebhookMode,
} from "./support/modes/transport-modes.ts";
import { createScratch } from "./support/scratch.ts";

const patient = { timeout: 30_000, interval: 10 };
const scratch = createScratch();

/** Each way to be connected, all of them channels of one program that is started again and again. */
const kinds: readonly (readonly [name: string, create: () => Promise<Mode>])[] = [
  ["a webhook", createWebhookMode],
  ["a WebSocket that dials us", createInboundMode],
  ["a WebSocket we dial", createDialledMode],
  ["a web chat", createWebChatMode],
  ["a program", () => createProgramMode({ name: "program", way: "process", scratch })],
  [
    "a program of the first generation",
    () =>
      createProgramMode({
        name: "older-program",
        way: "process",
        scratch,
        fake: { generation: "json" },
      }),
  ],
  ["a program elsewhere", () => createProgramMode({ name: "far", way: "elsewhere", scratch })],
  ["a container", () => createProgramMode({ name: "boxed", way: "container", scratch })],
  ["slack", createSlackMode],
  ["slack-events", createSlackEventsMode],
  ["telegram", () => createTelegramMode("asked")],
  ["telegram-webhook", () => createTelegramMode("posting")],
  ["whatsapp", createWhatsAppMode],
  ["msteams", createTeamsMode],
];

describe("whatever the way of being connected", () => {
  const modes = new Map<string, Mode>();
  let models: ModelServer;
  let core: CoreProcess | undefined;
  let door = "";

  const modeOf = (name: string): Mode => {
    const mode = modes.get(name);
    if (mode === undefined) throw new Error(`there is no mode ${name}`);
    return mode;
  };
  /** How often a model was asked this. */
  const countTurns = (content: string): number =>
    models.requests.filter(({ body }) => body.messages?.at(-1)?.content === content).length;

  const restart = async (accessOf: (mode: Mode) => object): Promise<void> => {
    core?.signal("SIGTERM");
    await core?.exited;
    const entries = [...modes.values()].map((mode) => [
      mode.name,
      { enabled: true, access: accessOf(mode), ...mode.entry },
    ]);
    const configPath = scratch.writeConfig(models.url, {
      channels: { console: { enabled: true, plugin: "console" }, ...Object.fromEntries(entries) },
      server: { addr: door },
    });
    const environment = Object.assign(
      {},
      ...[...modes.values()].map((mode) => (mode as { environment?: object }).environment),
    ) as Record<string, string>;
    core = startCore({ configPath, environment });
    await core.ready();
    for (const mode of modes.values()) await mode.connect(door);
  };

  beforeAll(async () => {
    models = await createModelServer();
    door = `127.0.0.1:${await findFreePort()}`;
    for (const [name, create] of kinds) modes.set(name, await create());
  });
  afterAll(async () => {
    await core?.[Symbol.asyncDispose]();
    for (const mode of modes.values()) await mode[Symbol.asyncDispose]();
    await models[Symbol.asyncDispose]();
    scratch[Symbol.dispose]();
  });

  const names = kinds.map(([name]) => name);

  describe("with codes for strangers", () => {
    beforeAll(() => restart(() => ({ policy: "pairing" })));

    it.each(names)(
      "%s: somebody unknown gets a code and no turn, until it is approved",
      async (name) => {
        const { texts, deliver } = modeOf(name);
        const findCode = (): string | undefined =>
          /\b([A-Z2-9]{8})\b/.exec(texts().join("\n"))?.[1];
        await deliver({ id: 1, from: "stranger", content: `${name}: let me in` });
        await expect.poll(findCode, patient).toBeDefined();
        core?.write(`/approve ${findCode()}\n`);
        await expect.poll(() => texts().join("\n"), patient).toContain("may talk to me now");
        await deliver({ id: 3, from: "stranger", content: `${name}: it is me` });
        await expect.poll(texts, patient).toContain(`answer: ${name}: it is me`);
        expect(countTurns(`${name}: let me in`)).toBe(0);
      },
    );

    it.each(names)("%s: a message that is delivered four times is one turn", async (name) => {
      const { texts, deliver } = modeOf(name);
      const message = { id: 4, from: "stranger", content: `${name}: once` } as const;
      for (let times = 0; times < 4; times += 1) await deliver(message);
      await expect.poll(texts, patient).toContain("answer: " + message.content);
      await deliver({ id: 5, from: "stranger", content: `${name}: next` });
      await expect.poll(texts, patient).toContain(`answer: ${name}: next`);
      expect(countTurns(message.content)).toBe(1);
      expect(texts().filter((text) => text === "answer: " + message.content)).toHaveLength(1);
    });
  });

  describe("after another start", () => {
    beforeAll(() => restart(() => ({ policy: "pairing" })));

    it.each(names)(
      "%s: it is no other turn when it is delivered four times again",
      async (name) => {
        const { texts, deliver } = modeOf(name);
        const message = { id: 4, from: "stranger", content: `${name}: once` } as const;
        for (let times = 0; times < 4; times += 1) await deliver(message);
        await deliver({ id: 6, from: "stranger", content: `${name}: still me` });
        await expect.poll(texts, patient).toContain(`answer: ${name}: still me`);
        expect(countTurns(message.content)).toBe(1);
        expect(texts().filter((text) => text === "answer: " + message.content)).toHaveLength(1);
      },
    );
  });

  describe("with a list of those who may talk", () => {
    beforeAll(() => restart((mode) => ({ policy: "allowlist", allow: [mode.listed()] })));

    it.each(names)("%s: others hear nothing", async (name) => {
      const { texts, deliver } = modeOf(name);
      const before = texts().length;
      await deliver({ id: 7, from: "stranger", content: `${name}: and now?` });
      await deliver({ id: 8, from: "listed", content: `${name}: I am listed` });
      await expect.poll(texts, patient).toContain(`answer: ${name}: I am listed`);
      expect(texts()).toHaveLength(before + 1);
      expect(countTurns(`${name}: and now?`)).toBe(0);
    });
  });

  describe("at the console", () => {
    beforeAll(() => restart(() => ({ policy: "closed" })));

    it("the operator talks, whatever holds for others, and a line that is written twice is two turns", async () => {
      for (const times of [1, 2]) {
        core?.write("status?\n");
        await expect.poll(() => countTurns("status?"), patient).toBe(times);
      }
      await expect.poll(() => core?.output(), patient).toContain("answer: status?");
    });
  });

  // Half of them at a time: a minute's log has ten lines about strangers.
  const halves = [names.slice(0, 7), names.slice(7)];
  describe.each(halves)("when %s … are closed", (...half) => {
    beforeAll(() => restart((mode) => ({ policy: "closed", allow: [mode.listed()] })));

    it.each(half)("%s: nobody gets a turn", async (name) => {
      const { name: channel, deliver } = modeOf(name);
      await deliver({ id: 9, from: "listed", content: `${name}: anybody there?` });
      await core?.logged(
        (line) => line.msg.includes("the channel is closed") && line["channel"] === channel,
      );
      expect(countTurns(`${name}: anybody there?`)).toBe(0);
    });
  });
});
