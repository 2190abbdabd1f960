import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Turn, TurnEvent } from "../../domain/turn.ts";
import { createManualClock, type ManualClock } from "../../base/clock.ts";
import { createRecordingHost } from "../testing/recording-host.ts";
import { createBundledChannel } from "./testing/bundled-channel.ts";
import { slackBot, startSlackStub } from "./testing/slack-stub.ts";
import { startTeamsStub, teamsApp } from "./testing/teams-stub.ts";
import { startTelegramStub, telegramBot } from "./testing/telegram-stub.ts";
import { startWhatsAppStub, whatsAppApp } from "./testing/whatsapp-stub.ts";
import type { YamlChannel } from "./yaml-channel.ts";

const opened: AsyncDisposable[] = [];
let clock: ManualClock;

beforeEach(() => {
  clock = createManualClock();
});

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]();
});

interface Bench {
  readonly channel: YamlChannel;
  readonly metadata: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  /** Signs that the platform was shown. */
  readonly count: () => number;
  /** Whether the next sign is answered with this. */
  readonly refuse: (answer: { status: number; headers?: Record<string, string> }) => void;
}

async function open(id: string, config: Readonly<Record<string, unknown>>): Promise<YamlChannel> {
  const channel = createBundledChannel(id, config, { clock });
  opened.push(channel);
  await channel.start(createRecordingHost());
  return channel;
}

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  slack: async () => {
    const slack = await startSlackStub();
    opened.push(slack);
    const channel = await open("slack-events", {
      bot_token: slackBot.token,
      signing_secret: "s",
      api_url: slack.apiUrl,
    });
    const calls = (): number => slack.calls("assistant.threads.setStatus").length;
    const refuse: Bench["refuse"] = (answer) =>
      slack.server.intercept(({ path }) => (path.endsWith("setStatus") ? answer : undefined));
    return { channel, metadata: {}, intervalMs: 60_000, count: calls, refuse };
  },
  telegram: async () => {
    const telegram = await startTelegramStub();
    opened.push(telegram);
    const channel = await open("telegram-webhook", {
      bot_token: telegramBot.token,
      api_url: telegram.server.url,
      webhook_secret: "s",
      public_url: "https://bot.example.com",
    });
    const count = (): number => telegram.calls("sendChatAction").length;
    const refuse: Bench["refuse"] = (answer) =>
      telegram.server.intercept(({ path }) =>
        path.endsWith("sendChatAction") ? answer : undefined,
      );
    return { channel, metadata: {}, intervalMs: 4_000, count, refuse };
  },
  whatsapp: async () => {
    const whatsApp = await startWhatsAppStub();
    opened.push(whatsApp);
    const channel = await open("whatsapp", { ...whatsAppApp.config, api_url: whatsApp.apiUrl });
    const count = (): number =>
      whatsApp.server.requests.filter(({ json }) => json["typing_indicator"] !== undefined).length;
    const refuse: Bench["refuse"] = (answer) =>
      whatsApp.server.intercept(({ json }) =>
        json["typing_indicator"] === undefined ? undefined : answer,
      );
    return { channel, metadata: { message_id: "wamid.1" }, intervalMs: 20_000, count, refuse };
  },
  msteams: async () => {
    const teams = await startTeamsStub();
    opened.push(teams);
    const channel = await open("msteams", { ...teamsApp.config, ...teams.config });
    const count = (): number =>
      teams.server.requests.filter(({ json }) => json["type"] === "typing").length;
    const refuse: Bench["refuse"] = (answer) =>
      teams.server.intercept(({ json }) => (json["type"] === "typing" ? answer : undefined));
    return {
      channel,
      metadata: { service_url: teams.serviceUrl },
      intervalMs: 8_000,
      count,
      refuse,
    };
  },
};

const toTurn = ({ metadata }: Bench): Turn => ({
  id: "t1",
  sessionKey: "s",
  attempt: 1,
  message: {
    channel: "x",
    channelKind: "x",
    platformMessageId: "m",
    conversationId: "C1",
    threadId: "170.1",
    senderId: "u",
    senderName: "",
    content: "",
    files: [],
    metadata,
    sentAtMs: 0,
  },
});

const started: TurnEvent = { kind: "turn-started" };
const continued: TurnEvent = { kind: "turn-continued" };
const finished: TurnEvent = { kind: "turn-finished", outcome: "answered" };

describe.each(Object.keys(benches))("typing in %s", (id) => {
  const start = (): Promise<Bench> => benches[id]?.() ?? expect.unreachable(id);

  it("shows from the first moment of a turn, before any word, and as long as the turn goes on", async () => {
    const bench = await start();
    const turn = toTurn(bench);
    bench.channel.show?.(turn, started);
    await vi.waitFor(() => expect(bench.count()).toBe(1));
    for (let ms = 0; ms < 180_000; ms += 4_000) {
      const before = bench.count();
      clock.advance(4_000);
      if (ms % 24_000 === 0) bench.channel.show?.(turn, continued);
      if ((ms + 4_000) % bench.intervalMs === 0)
        await vi.waitFor(() => expect(bench.count()).toBeGreaterThan(before));
    }
  });

  it("ends with the turn, and with a turn that is not heard of any more", async () => {
    const bench = await start();
    const turn = toTurn(bench);
    bench.channel.show?.(turn, started);
    await vi.waitFor(() => expect(bench.count()).toBe(1));
    bench.channel.show?.(turn, finished);
    const stops = id === "slack" ? 1 : 0;
    await vi.waitFor(() => expect(bench.count()).toBe(1 + stops));
    clock.advance(600_000);
    bench.channel.show?.({ ...turn, id: "t2" }, started);
    await vi.waitFor(() => expect(bench.count()).toBe(2 + stops));
    clock.advance(60_000);
    await vi.waitFor(() => expect(bench.count()).toBeGreaterThan(1 + stops));
    clock.advance(60_000);
    const last = bench.count();
    clock.advance(600_000);
    expect(bench.count()).toBe(last);
  });

  it("is left alone for a turn when the platform refuses it", async () => {
    const bench = await start();
    bench.refuse({ status: 403 });
    const turn = toTurn(bench);
    bench.channel.show?.(turn, started);
    await vi.waitFor(() => expect(bench.count()).toBe(1));
    bench.refuse({ status: 200 });
    // The refusal has arrived when the next request has been answered.
    await bench.channel.send({ ...turn.message, content: "done" }, "d1");
    clock.advance(60_000);
    bench.channel.show?.(turn, continued);
    bench.channel.show?.(turn, finished);
    await bench.channel.send({ ...turn.message, content: "and more" }, "d2");
    expect(bench.count()).toBe(1);
  });
});

describe("typing in Slack", () => {
  it("is taken back below the thread when a turn ends without an answer", async () => {
    const bench = await (benches["slack"]?.() ?? expect.unreachable("slack"));
    const slack = opened[0] as Awaited<ReturnType<typeof startSlackStub>>;
    const turn = toTurn(bench);
    bench.channel.show?.(turn, started);
    await vi.waitFor(() => expect(slack.statuses()).toEqual({ "170.1": "is thinking…" }));
    bench.channel.show?.(turn, finished);
    await vi.waitFor(() => expect(slack.statuses()).toEqual({ "170.1": "" }));
    bench.channel.show?.({ ...turn, message: { ...turn.message, threadId: "" } }, started);
    bench.channel.show?.(turn, finished);
    await bench.channel.send({ ...turn.message, content: "done" }, "d1");
    expect(bench.count()).toBe(2);
  });
});
