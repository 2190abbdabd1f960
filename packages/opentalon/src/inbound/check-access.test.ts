import { describe, expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { StoreError } from "../base/errors.ts";
import { createSeededRandom } from "../base/seeded-random.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { KeyValueStore } from "../store/ports.ts";
import { type AccessRules, createCheckAccess } from "./check-access.ts";
import { createPairing } from "./pairing.ts";

const from = (senderId: string, more: Partial<InboundMessage> = {}): InboundMessage => ({
  channel: "chat",
  channelKind: "telegram",
  platformMessageId: "1",
  conversationId: "room",
  threadId: "",
  senderId,
  senderName: "Somebody",
  content: "hello",
  files: [],
  metadata: {},
  sentAtMs: 0,
  ...more,
});

/** Keeps everything in memory, in the order both engines give it back. */
function createMemory(): KeyValueStore & { readonly entries: Map<string, string> } {
  const entries = new Map<string, string>();
  const toKey = (namespace: string, key: string): string => `${namespace} ${key}`;
  return {
    entries,
    get: async (namespace, key) => entries.get(toKey(namespace, key)),
    set: async (namespace, key, value) => void entries.set(toKey(namespace, key), value),
    delete: async (namespace, key) => void entries.delete(toKey(namespace, key)),
    list: async (namespace, prefix, limit) =>
      [...entries.keys()]
        .filter((key) => key.startsWith(toKey(namespace, prefix)))
        .map((key) => key.slice(namespace.length + 1))
        .toSorted()
        .slice(0, limit),
  };
}

function asking(more: Partial<AccessRules> = {}, keyValue: KeyValueStore = createMemory()) {
  const rules: AccessRules = { policy: "pairing", allow: [], approvers: [], ...more };
  const clock = createManualClock();
  const told: { readonly to: string; readonly content: string }[] = [];
  let isReachable = true;
  const random = createSeededRandom(7);
  const pairing = createPairing({
    keyValue,
    approversOf: () => rules.approvers,
    random: (count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)),
    clock,
  });
  const check = createCheckAccess({
    rulesOf: () => rules,
    pairing,
    tell: async ({ conversationId }, content) => {
      told.push({ to: conversationId, content });
      return isReachable;
    },
    clock,
    log: createSilentLog(),
  });
  const codes = (): readonly string[] =>
    told.map(({ content }) => /: ([A-Z2-9]{8})\n/.exec(content)?.[1] ?? "");
  const kindOf = async (message: InboundMessage): Promise<string> => (await check(message)).kind;
  return {
    kindOf,
    pairing,
    told,
    codes,
    clock,
    loseMessages: (isLost: boolean) => {
      isReachable = !isLost;
    },
  };
}

const operator = { kind: "operator" } as const;

describe("a stranger on a channel with pairing", () => {
  it("gets a code once, and talks from the moment it is approved until that is taken back", async () => {
    const { kindOf, pairing, codes, clock } = asking();
    expect(await kindOf(from("eve"))).toBe("turned-away");
    expect(await kindOf(from("eve"))).toBe("turned-away");
    expect(codes()).toHaveLength(1);
    const { requests } = await pairing.list();
    expect(requests).toMatchObject([{ senderId: "eve", channel: "chat", code: codes()[0] }]);
    const said = `${codes()[0]?.slice(0, 4).toLowerCase()}-${codes()[0]?.slice(4)}`;
    expect(await pairing.approve(said, operator)).toMatchObject({ kind: "approved", isNew: true });
    expect(await pairing.approve(said, operator)).toMatchObject({ kind: "approved", isNew: false });
    expect(await kindOf(from("eve"))).toBe("admitted");
    expect(await kindOf(from("mallory"))).toBe("turned-away");
    expect(await kindOf(from("eve", { channel: "other" }))).toBe("turned-away");
    expect(await pairing.list()).toMatchObject({ approved: [{ senderId: "eve", by: "operator" }] });
    expect(await pairing.revoke("chat:eve", operator)).toBe(true);
    expect(await pairing.revoke("chat:eve", operator)).toBe(false);
    expect(await kindOf(from("eve"))).toBe("turned-away");
    clock.advance(3_600_000);
    expect(await pairing.approve(codes()[0] ?? "", operator)).toEqual({ kind: "unknown" });
  });

  it("gets three codes a day at most, one an hour, however many messages come at once", async () => {
    const { kindOf, codes, clock } = asking();
    for (let hour = 0; hour < 8; hour += 1) {
      await Promise.all([kindOf(from("eve")), kindOf(from("eve")), kindOf(from("eve"))]);
      clock.advance(3_600_000);
    }
    expect(codes()).toHaveLength(3);
    expect(new Set(codes()).size).toBe(3);
    clock.advance(24 * 3_600_000);
    await kindOf(from("eve"));
    expect(codes()).toHaveLength(4);
  });

  it("leaves nothing but who wrote it, and a crowd gets no more codes than are kept", async () => {
    const memory = createMemory();
    const { kindOf, codes } = asking({}, memory);
    for (let count = 0; count < 520; count += 1)
      await kindOf(from(`crowd-${count}`, { content: "a private matter" }));
    expect(codes()).toHaveLength(500);
    expect(memory.entries.size).toBe(500);
    expect([...memory.entries.values()].join("")).not.toContain("private");
  });

  it("gets another code with the next message when the first could not be told", async () => {
    const { kindOf, codes, loseMessages } = asking();
    loseMessages(true);
    await kindOf(from("eve"));
    // The code is taken back once the platform has refused it.
    await Promise.resolve();
    loseMessages(false);
    await expect.poll(async () => (await kindOf(from("eve")), codes().length)).toBe(2);
  });

  it("gets none for a reaction, and none without a name", async () => {
    const { kindOf, codes } = asking();
    expect(await kindOf(from("eve", { content: "", metadata: { reaction: "+1" } }))).toBe(
      "turned-away",
    );
    expect(await kindOf(from(""))).toBe("turned-away");
    expect(codes()).toEqual([]);
  });

  it("is not mistaken for another one whose name has colons", async () => {
    const { kindOf, pairing, codes } = asking();
    await kindOf(from("b:c", { channel: "a" }));
    await pairing.approve(codes()[0] ?? "", operator);
    expect(await kindOf(from("b:c", { channel: "a" }))).toBe("admitted");
    expect(await kindOf(from("c", { channel: "a:b" }))).toBe("turned-away");
  });

  it("is not let in, and not lost, while nobody can read who may talk", async () => {
    const broken: KeyValueStore = {
      ...createMemory(),
      get: () => Promise.reject(new StoreError("STORE_UNREACHABLE", "away")),
    };
    const { kindOf, codes } = asking({ allow: ["ann"] }, broken);
    expect(await kindOf(from("eve"))).toBe("undecided");
    expect(await kindOf(from("ann"))).toBe("admitted");
    expect(codes()).toEqual([]);
  });
});

describe("an approver", () => {
  it("approves codes of their channel only, and cannot guess", async () => {
    const { kindOf, pairing, codes, clock } = asking({ approvers: ["chat:ann"] });
    await kindOf(from("eve"));
    const ann = { kind: "actor", actor: "chat:ann" } as const;
    const code = codes()[0] ?? "";
    expect(await pairing.approve(code, { kind: "actor", actor: "chat:bob" })).toEqual({
      kind: "unknown",
    });
    for (let guess = 0; guess < 10; guess += 1)
      expect(await pairing.approve(`AAAAAAA${guess}`, ann)).toEqual({ kind: "unknown" });
    expect(await pairing.approve(code, ann)).toEqual({ kind: "too-many-wrong" });
    clock.advance(600_000);
    expect(await pairing.approve(code, ann)).toMatchObject({ kind: "approved" });
  });

  it("may talk on the channel they are named for", async () => {
    const { kindOf } = asking({ approvers: ["chat:ann", "other:bob"] });
    expect(await kindOf(from("ann"))).toBe("admitted");
    expect(await kindOf(from("bob"))).toBe("turned-away");
    expect(await kindOf(from("other:bob"))).toBe("turned-away");
  });
});

describe("other policies", () => {
  it("let in everybody, nobody, or those who are listed by either name", async () => {
    expect(await asking({ policy: "open" }).kindOf(from(""))).toBe("admitted");
    expect(await asking({ policy: "closed", allow: ["ann"] }).kindOf(from("ann"))).toBe(
      "turned-away",
    );
    const { kindOf, told } = asking({ policy: "allowlist", allow: ["ann", "chat:bob"] });
    expect(await kindOf(from("ann"))).toBe("admitted");
    expect(await kindOf(from("bob"))).toBe("admitted");
    expect(await kindOf(from("eve"))).toBe("turned-away");
    // A sender who chooses a name of this form is not the one it names.
    expect(await kindOf(from("chat:bob"))).toBe("turned-away");
    expect(told).toEqual([]);
  });
});
