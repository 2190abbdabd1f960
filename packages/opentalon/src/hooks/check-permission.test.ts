import { describe, expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createPermissionCheck } from "./check-permission.ts";
import type { CallHookAction } from "./run-preparers.ts";

type Answer = string | { readonly content: string; readonly isError: boolean };

/** A gate that says what it is told, and counts how often it was asked. */
function gate(first: Answer) {
  const clock = createManualClock();
  const check = createPermissionCheck({ permissionPlugin: "gate", clock });
  const asked: { readonly callId: string; readonly step: unknown }[] = [];
  let answer = first;
  const callAction: CallHookAction = (step, callId) => {
    asked.push({ step, callId });
    return Promise.resolve(
      typeof answer === "string" ? { content: answer, isError: false } : answer,
    );
  };
  return {
    clock,
    asked,
    say: (next: Answer): void => void (answer = next),
    ask: (actor = "c:ann", plugin = "jira") => check({ actor, plugin }, callAction),
  };
}

describe("the permission plugin", () => {
  it("is asked by its action check, for a person and a plugin", async () => {
    const { ask, asked } = gate("true");
    expect(await ask()).toBe(true);
    expect(asked).toEqual([
      {
        callId: "permission-check-jira",
        step: { plugin: "gate", action: "check", arguments: { actor: "c:ann", plugin: "jira" } },
      },
    ]);
  });

  it.each(["true", " TRUE\n", `{"allowed": true}`])("allows on %j", async (text) =>
    expect(await gate(text).ask()).toBe(true),
  );

  it.each(["false", "", "yes", "1", `{"allowed":"true"}`, "null", "[true]", `"true"`, "{"])(
    "denies on %j",
    async (text) => expect(await gate(text).ask()).toBe(false),
  );

  it("denies when the check fails, and asks again the next time", async () => {
    const given = gate({ content: "true", isError: true });
    expect(await given.ask()).toBe(false);
    given.say("true");
    expect(await given.ask()).toBe(true);
    expect(given.asked).toHaveLength(2);
  });

  it("denies nonsense, and asks again the next time", async () => {
    const given = gate("perhaps");
    expect(await given.ask()).toBe(false);
    given.say("true");
    expect(await given.ask()).toBe(true);
  });

  it("denies when the call is given up, and asks again the next time", async () => {
    const clock = createManualClock();
    const check = createPermissionCheck({ permissionPlugin: "gate", clock });
    const question = { actor: "a", plugin: "p" };
    await expect(check(question, () => Promise.reject(new Error("aborted")))).rejects.toThrow(
      "aborted",
    );
    const allow: CallHookAction = () => Promise.resolve({ content: "true", isError: false });
    expect(await check(question, allow)).toBe(true);
  });

  it("is asked once in a few seconds for the same person and plugin, whatever it said", async () => {
    for (const [said, then, allowed] of [
      ["true", "false", true],
      ["false", "true", false],
    ] as const) {
      const given = gate(said);
      await given.ask();
      given.say(then);
      given.clock.advance(4_999);
      expect(await given.ask()).toBe(allowed);
      expect(given.asked).toHaveLength(1);
      given.clock.advance(1);
      expect(await given.ask()).toBe(!allowed);
      expect(given.asked).toHaveLength(2);
    }
  });

  it("never takes one person or plugin for another", async () => {
    const given = gate("true");
    expect(await given.ask("c:ann", "jira")).toBe(true);
    given.say("false");
    expect(await given.ask("c:bob", "jira")).toBe(false);
    expect(await given.ask("c:ann", "bank")).toBe(false);
    expect(await given.ask('c:ann","jira', "")).toBe(false);
  });

  it("remembers a bounded number of answers", async () => {
    const given = gate("true");
    for (let person = 0; person <= 1_000; person += 1) await given.ask(`c:${person}`);
    expect(given.asked).toHaveLength(1_001);
    await given.ask("c:1000");
    expect(given.asked).toHaveLength(1_001);
    await given.ask("c:0");
    expect(given.asked).toHaveLength(1_002);
  });
});
