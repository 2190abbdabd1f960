import { describe, expect, it, vi } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import type { Delivery, DeliveryState, Outbox, PostedMessages } from "../store/ports.ts";
import { createDeliveryLoop, toSendOutcome, type SendOutcome } from "./delivery.ts";

const delivery = (id: string, conversationId = "room"): Delivery => ({
  id,
  turnId: `turn-${id}`,
  sessionKey: "s",
  message: { channel: "c", conversationId, threadId: "", content: id, files: [], metadata: {} },
  state: "waiting",
  attempts: 0,
  dueAtMs: 0,
  problem: "",
  partsSent: 0,
});

function outboxOf(...deliveries: Delivery[]) {
  const states = new Map<string, DeliveryState>(deliveries.map(({ id, state }) => [id, state]));
  const parts = new Map<string, number>();
  const set = (id: string, state: DeliveryState): Promise<void> =>
    Promise.resolve(void states.set(id, state));
  const outbox: Outbox = {
    resolveInterrupted: () => {
      const interrupted = deliveries.filter(({ id }) => states.get(id) === "sending");
      for (const { id } of interrupted) states.set(id, "unknown");
      return Promise.resolve(interrupted);
    },
    waiting: () => Promise.resolve(deliveries.filter(({ id }) => states.get(id) === "waiting")),
    markSending: (id) => {
      if (states.get(id) !== "waiting") return Promise.resolve(false);
      states.set(id, "sending");
      return Promise.resolve(true);
    },
    markPartsSent: (id, partsSent) => Promise.resolve(void parts.set(id, partsSent)),
    retry: async (id) => {
      states.set(id, "waiting");
      return deliveries.find((each) => each.id === id);
    },
    drop: () => Promise.resolve(false),
    markDelivered: (id) => set(id, "delivered"),
    markWaiting: (id) => set(id, "waiting"),
    markFailed: (id) => set(id, "failed"),
    list: () => Promise.resolve([]),
  };
  return { outbox, states, parts };
}

function loop(
  deliveries: Delivery[],
  script: Record<string, SendOutcome[]>,
  knowsRepeats = (_channel: string): boolean => false,
  note = (): Promise<void> => Promise.resolve(),
) {
  const { outbox, states, parts } = outboxOf(...deliveries);
  const clock = createManualClock();
  const sent: string[] = [];
  const posted: Parameters<PostedMessages["add"]>[0][] = [];
  const send = (message: Delivery["message"]): Promise<SendOutcome> => {
    sent.push(message.content);
    return Promise.resolve(script[message.content]?.shift() ?? { kind: "delivered" });
  };
  const delivering = createDeliveryLoop({
    outbox,
    posted: {
      add: (messages) => {
        posted.push(messages);
        sent.push("(noted)");
        return note();
      },
    },
    // A space separates messages.
    split: (message) => message.content.split(" ").map((content) => ({ ...message, content })),
    send,
    knowsRepeats,
    maxAttempts: 3,
    clock,
    log: createSilentLog(),
  });
  return { delivering, states, parts, sent, posted, clock };
}

const refused: SendOutcome = {
  kind: "not-delivered",
  problem: "connection refused",
  retryAfterMs: undefined,
};

describe("delivery", () => {
  it("sends again after a certain failure, and keeps the order of the conversation meanwhile", async () => {
    const [one, two, elsewhere] = [delivery("1"), delivery("2"), delivery("x", "other")];
    const { delivering, sent, states, clock } = loop([one, two, elsewhere], { "1": [refused] });
    for (const each of [one, two, elsewhere]) delivering.deliver(each);
    await vi.waitFor(() => expect(states.get("x")).toBe("delivered"));
    expect(sent).toEqual(["1", "x"]);
    expect(states.get("1")).toBe("waiting");
    clock.advance(2_000);
    await delivering.idle();
    expect(sent).toEqual(["1", "x", "1", "2"]);
  });

  it("sends each message of a long reply once, whatever happens in between", async () => {
    const long = delivery("one two three");
    const { delivering, sent, states, parts, clock } = loop([long], { two: [refused] });
    delivering.deliver(long);
    await vi.waitFor(() => expect(states.get(long.id)).toBe("waiting"));
    expect(parts.get(long.id)).toBe(1);
    clock.advance(2_000);
    await delivering.idle();
    expect(sent).toEqual(["one", "two", "two", "three"]);
    expect(states.get(long.id)).toBe("delivered");
  });

  it("notes what the platform calls each message, before the next one is sent", async () => {
    const long = delivery("one two three");
    const { delivering, sent, posted } = loop([long], {
      one: [{ kind: "delivered", messageIds: ["m1", "m2"] }],
      two: [{ kind: "delivered", messageIds: [] }],
      three: [{ kind: "delivered", messageIds: ["m3"] }],
    });
    delivering.deliver(long);
    await delivering.idle();
    expect(sent).toEqual(["one", "(noted)", "two", "three", "(noted)"]);
    const place = { turnId: long.turnId, channel: "c", conversationId: "room" };
    expect(posted).toEqual([
      { ...place, messageIds: ["m1", "m2"] },
      { ...place, messageIds: ["m3"] },
    ]);
  });

  it("counts as delivered also where that could not be noted", async () => {
    const script: Record<string, SendOutcome[]> = {
      "1": [{ kind: "delivered", messageIds: ["m1"] }],
    };
    const lose = (): Promise<void> => Promise.reject(new Error("disk full"));
    const { delivering, states } = loop([delivery("1")], script, undefined, lose);
    delivering.deliver(delivery("1"));
    await delivering.idle();
    expect(states.get("1")).toBe("delivered");
  });

  it("goes on with the message of a long reply that comes next after a restart", async () => {
    const long = { ...delivery("one two three"), partsSent: 2 };
    const { delivering, sent } = loop([long], {});
    delivering.deliver(long);
    await delivering.idle();
    expect(sent).toEqual(["three"]);
  });

  it("does not take the rest of a long reply for delivered when it would be one message now", async () => {
    const long = { ...delivery("whole"), partsSent: 1 };
    const { delivering, sent, states } = loop([long], {});
    delivering.deliver(long);
    await vi.waitFor(() => expect(states.get(long.id)).toBe("waiting"));
    delivering.stop();
    expect(sent).toEqual([]);
  });

  it("keeps the rest of a long reply for the next start, also at the last attempt", async () => {
    const long = { ...delivery("one two"), attempts: 2 };
    const script: Record<string, SendOutcome[]> = {};
    const { delivering, sent, states } = loop([long], script);
    const stop = (): SendOutcome[] => {
      delivering.stop();
      return [];
    };
    Object.defineProperty(script, "one", { get: stop });
    delivering.deliver(long);
    await delivering.idle();
    expect(sent).toEqual(["one"]);
    expect(states.get(long.id)).toBe("waiting");
  });

  it("gives up after the last attempt", async () => {
    const { delivering, sent, states, clock } = loop([delivery("1")], {
      "1": [refused, refused, refused, refused],
    });
    delivering.deliver(delivery("1"));
    for (const attempts of [1, 2, 3]) {
      await vi.waitFor(() => expect(sent).toHaveLength(attempts));
      await vi.waitFor(() => expect(states.get("1")).not.toBe("sending"));
      clock.advance(60_000);
    }
    await delivering.idle();
    expect(states.get("1")).toBe("failed");
  });

  it("never sends again when the outcome is unknown", async () => {
    const { delivering, sent, states } = loop([delivery("1")], {
      "1": [{ kind: "unknown", problem: "timed out" }],
    });
    delivering.deliver(delivery("1"));
    await delivering.idle();
    expect([sent, states.get("1")]).toEqual([["1"], "failed"]);
  });

  it("sends again when the outcome is unknown and the platform recognises repeats", async () => {
    const unknown = { kind: "unknown", problem: "timed out" } as const;
    const { delivering, sent, states, clock } = loop(
      [delivery("1")],
      { "1": [unknown] },
      () => true,
    );
    delivering.deliver(delivery("1"));
    await vi.waitFor(() => expect(states.get("1")).toBe("waiting"));
    clock.advance(2_000);
    await delivering.idle();
    expect([sent, states.get("1")]).toEqual([["1", "1"], "delivered"]);
  });

  it("waits as long as the platform asked", async () => {
    const { delivering, sent, clock, states } = loop([delivery("1")], {
      "1": [{ ...refused, retryAfterMs: 90_000 }],
    });
    delivering.deliver(delivery("1"));
    await vi.waitFor(() => expect(states.get("1")).toBe("waiting"));
    clock.advance(80_000);
    expect(sent).toHaveLength(1);
    clock.advance(11_000);
    await delivering.idle();
    expect(sent).toHaveLength(2);
  });

  it("takes up what waited before a restart and only reports what was being sent", async () => {
    const interrupted = { ...delivery("1"), state: "sending" as const };
    const { delivering, sent, states } = loop([interrupted, delivery("2")], {});
    await delivering.recover();
    await delivering.idle();
    expect(sent).toEqual(["2"]);
    expect(states.get("1")).toBe("unknown");
  });

  it("sends again what was being sent, where the platform knows what it has", async () => {
    const interrupted = { ...delivery("1"), state: "sending" as const };
    const asked: string[] = [];
    const { delivering, sent, states } = loop([interrupted], {}, (channel) => {
      asked.push(channel);
      return true;
    });
    await delivering.recover();
    await delivering.idle();
    expect([asked, sent, states.get("1")]).toEqual([["c"], ["1"], "delivered"]);
  });

  it("leaves what waits in the outbox when it is stopped", async () => {
    const { delivering, states } = loop([delivery("1")], { "1": [refused] });
    delivering.deliver(delivery("1"));
    await vi.waitFor(() => expect(states.get("1")).toBe("waiting"));
    delivering.stop();
    await delivering.idle();
    expect(states.get("1")).toBe("waiting");
  });

  it("reads a rejected send", () => {
    expect(toSendOutcome(Object.assign(new Error("reset"), { outcome: "unknown" }))).toEqual({
      kind: "unknown",
      problem: "reset",
    });
    expect(toSendOutcome(new Error("refused"))).toMatchObject({
      kind: "not-delivered",
      retryAfterMs: undefined,
    });
  });
});
