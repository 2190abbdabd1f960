import type { API, GatewayDispatchPayload } from "@discordjs/core/http-only";
import type { SessionInfo } from "@discordjs/ws";
import { expect, it } from "vitest";
import { createChannelDirectory } from "./channel-directory.ts";
import type { ChannelMemory } from "./channel-memory.ts";
import { systemClock } from "./clock.ts";
import { createIntake } from "./intake.ts";
import { isNewer } from "./snowflake.ts";
import { discordBot, ids } from "./testing/discord-stub.ts";

const busy = "600000000000000002";
let count = 0n;

function toMessage(channelId: string): {
  readonly id: string;
  readonly payload: GatewayDispatchPayload;
} {
  const id = String(900_000_000_000_000_000n + (count += 1n));
  const message = {
    id,
    channel_id: channelId,
    type: 0,
    author: { id: ids.person, username: "ada" },
    content: "hello",
    timestamp: new Date().toISOString(),
    mentions: [],
    mention_roles: [],
    attachments: [],
  };
  return { id, payload: { t: "MESSAGE_CREATE", d: message } as unknown as GatewayDispatchPayload };
}

it("does not count as further than a message that was left out, however long that waits to be read", async () => {
  const stopping = new AbortController();
  const api = {} as API;
  const passed: string[] = [];
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let onGiven = (_: string): void => {};
  const memory: Partial<ChannelMemory> = {
    progress: () => ({ channels: new Map(), newestId: undefined }),
    reached: () => {},
    passed: (channelId, id) => void (channelId === ids.direct && passed.push(id)),
  };
  const intake = createIntake({
    api,
    botId: discordBot.id,
    repliesInThreads: false,
    directory: createChannelDirectory({ api, botId: discordBot.id }),
    memory: memory as ChannelMemory,
    loadAttachments: async () => ({ files: [], note: "" }),
    handover: {
      give: async ({ messageId = "" }) => {
        begun.resolve();
        await gate.promise;
        onGiven(messageId);
      },
      whenSafe: (task) => task(),
    },
    onQuestion: () => {},
    onOwnMessage: () => {},
    clock: systemClock,
    log: () => {},
    signal: stopping.signal,
  });
  let sequence = 0;
  const say = (channelId: string): string => {
    const { id, payload } = toMessage(channelId);
    intake.take(payload, { shardId: 0, sequence: (sequence += 1) } as SessionInfo);
    return id;
  };
  const working = intake.work();
  say(ids.direct);
  await begun.promise;
  for (let waiting = 0; waiting < 512; waiting += 1) say(ids.direct);
  const leftOut = say(ids.direct);
  let newer = "";
  let given = 0;
  let isPast = false;
  onGiven = (id) => {
    given += 1;
    if (isPast || given > 2_000) return stopping.abort();
    isPast = id === newer;
    // There is room again, but it is never so calm that the one left out is read.
    if (given === 2) newer = say(ids.direct);
    else if (given > 2) say(busy);
  };
  gate.resolve();
  await working;
  expect(isPast).toBe(true);
  expect(passed.filter((id) => !isNewer(leftOut, id))).toEqual([]);
});
