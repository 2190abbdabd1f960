import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PluginError } from "../base/errors.ts";
import type { Execution } from "../domain/plugin.ts";
import type { PluginClient } from "./plugin-client.ts";
import type { FakePluginOptions } from "./testing/fake-plugin-options.ts";
import type { LaunchedFake } from "./testing/launch-fake.ts";
import { launchFake } from "./testing/launch-fake.ts";

export interface PluginClientContract {
  readonly generation: NonNullable<FakePluginOptions["generation"]>;
  readonly create: (fake: LaunchedFake) => PluginClient;
}

const never = new AbortController().signal;

function toExecution(action: string, changes: Partial<Execution> = {}): Execution {
  return { callId: "call-1", action, arguments: {}, signal: never, timeoutMs: 10_000, ...changes };
}

/** What every way to talk to a plugin keeps, tried with a real process. */
export function describePluginClient({ generation, create }: PluginClientContract): void {
  describe(`a plugin client for ${generation}`, () => {
    let fake: LaunchedFake;
    let client: PluginClient;
    const execute = (action: string, changes?: Partial<Execution>) =>
      client.execute(toExecution(action, changes), "fake");

    beforeAll(async () => {
      fake = await launchFake({ generation, promptAddition: "Be brief." });
      client = create(fake);
    });
    afterAll(async () => {
      await client[Symbol.asyncDispose]();
      await fake.stop();
    });

    test("says what the plugin can do", async () => {
      const capabilities = await client.capabilities(never);
      expect(capabilities).toMatchObject({
        name: "fake",
        description: "A fake",
        systemPromptAddition: "Be brief.",
        supportsCallbacks: false,
      });
      expect(capabilities.actions.find((action) => action.name === "echo")).toMatchObject({
        description: "Action echo",
        parameters: [
          { name: "text", description: "Some text", type: "string", required: true, schema: "" },
        ],
        readOnly: true,
        userOnly: false,
        alwaysInclude: false,
        contextArguments: ["session_id"],
      });
    });

    test("gives a sign of life, also while it works on something else", async () => {
      const call = execute("slow", { arguments: { ms: "100" } });
      await expect(client.check(never)).resolves.toBeUndefined();
      expect((await call).content).toBe("done");
    });

    test("has no sign of life of a plugin that hangs", async () => {
      const call = execute("block", { arguments: { ms: "500" } });
      await expect(client.check(AbortSignal.timeout(100))).rejects.toMatchObject({
        reason: "timed-out",
      });
      expect((await call).content).toBe("done");
    });

    test("cannot tell what a plugin can do by now that has no way to say so", async () => {
      expect(await client.refresh(never)).toBeUndefined();
    });

    test("ends calls under way and later ones with the reason it is given", async () => {
      const other = create(fake);
      const reason = new PluginError("fake", "crashed", "gone");
      const before = (await fake.calls()).length;
      const call = other.execute(toExecution("hang"), "fake").catch((error: unknown) => error);
      await expect.poll(async () => (await fake.calls()).length).toBe(before + 1);
      other.end(reason);
      expect(await call).toBe(reason);
      await expect(other.execute(toExecution("echo"), "fake")).rejects.toBe(reason);
      await other[Symbol.asyncDispose]();
    });

    test("takes a configuration", async () => {
      await expect(client.init('{"a":1}', never)).resolves.toBeUndefined();
    });

    test("brings plugin and arguments across, whatever is in them", async () => {
      const args = {
        text: "hé\n\u0000 😀",
        empty: "",
        long: "x".repeat(100_000),
        half: "a\ud800b",
        constructor: "c",
      };
      const { content, error } = await execute("echo", { arguments: args });
      expect(error).toBe("");
      expect(JSON.parse(content)).toEqual({
        plugin: "fake",
        action: "echo",
        args: { ...args, half: "a�b" },
        credentials: [],
      });
    });

    test("brings structured content", async () => {
      expect(await execute("structured")).toEqual({
        content: "text",
        error: "",
        structuredContent: '{"a":1}',
      });
    });

    test.each(["fail", "fail-without-id"])(
      "gives a failed action as a result: %s",
      async (action) => {
        expect(await execute(action)).toEqual({
          content: "",
          error: "it did not work",
          structuredContent: "",
        });
      },
    );

    test("gives the plugin's words for an unknown action", async () => {
      expect((await execute("nope")).error).toBe("unknown action nope");
    });

    test.each(["wrong-id", "no-id"])(
      "refuses an answer that may belong to another call: %s",
      async (action) => {
        await expect(execute(action)).rejects.toMatchObject({
          reason: "protocol-violated",
          message: expect.stringContaining("another call") as string,
        });
      },
    );

    test("replaces invalid UTF-8", async () => {
      expect((await execute("invalid-utf8")).content).toBe("a�b�");
    });

    test("keeps calls apart that run side by side", async () => {
      const calls = Array.from({ length: 50 }, async (_, index) => {
        const { content } = await execute("echo", {
          callId: `call-${index}`,
          arguments: { index: String(index) },
        });
        return (JSON.parse(content) as { args: { index: string } }).args.index;
      });
      expect(await Promise.all(calls)).toEqual(
        Array.from({ length: 50 }, (_, index) => String(index)),
      );
    });

    test("ends a call when its time is up, and tells the plugin", async () => {
      const before = Number((await execute("cancelled")).content);
      const call = execute("hang", { timeoutMs: 50 });
      await expect(call).rejects.toMatchObject({
        reason: "timed-out",
        message: expect.stringContaining('"hang" within 50 ms') as string,
      });
      await expect.poll(async () => Number((await execute("cancelled")).content)).toBe(before + 1);
    });

    test("ends a call when its caller gives up, and tells the plugin", async () => {
      const before = Number((await execute("cancelled")).content);
      const caller = new AbortController();
      const call = execute("slow", { arguments: { ms: "60000" }, signal: caller.signal });
      setTimeout(() => caller.abort(), 20);
      await expect(call).rejects.toMatchObject({
        reason: "unavailable",
        message: expect.stringContaining("was cancelled") as string,
      });
      await expect.poll(async () => Number((await execute("cancelled")).content)).toBe(before + 1);
    });

    test("rejects a call whose caller had given up before", async () => {
      await expect(execute("echo", { signal: AbortSignal.abort() })).rejects.toMatchObject({
        reason: "unavailable",
      });
    });

    test("passes on why its caller gave up", async () => {
      const reason = new PluginError("fake", "crashed", "gone");
      await expect(execute("hang", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    });

    test("ends a call whose answer never gets complete", async () => {
      await expect(execute("trickle", { timeoutMs: 50 })).rejects.toMatchObject({
        reason: "timed-out",
      });
    });

    test("refuses an answer of 1 GB, without taking it", { timeout: 30_000 }, async () => {
      const before = process.memoryUsage.rss();
      await expect(execute("huge")).rejects.toMatchObject({
        reason: "protocol-violated",
        message: expect.stringMatching(/1073741824/) as string,
      });
      await expect(execute("bomb", { timeoutMs: 20_000 })).rejects.toMatchObject({
        reason: "protocol-violated",
      });
      expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
    });

    test("ends a call whose answers never end, without keeping them", async () => {
      const before = process.memoryUsage.rss();
      await expect(execute("endless", { timeoutMs: 1_000 })).rejects.toBeInstanceOf(PluginError);
      expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
    });

    test("still works after all of that", async () => {
      expect((await execute("echo")).error).toBe("");
    });

    test("rejects calls under way when the process ends", async () => {
      const other = await launchFake({ generation });
      const otherClient = create(other);
      const call = otherClient.execute(toExecution("crash"), "fake");
      await expect(call).rejects.toMatchObject({ reason: "unavailable" });
      await otherClient[Symbol.asyncDispose]();
      await other.stop();
    });

    test("rejects calls under way when it is closed", async () => {
      const otherClient = create(fake);
      const before = (await fake.calls()).length;
      const call = otherClient.execute(toExecution("hang"), "fake");
      const outcome = call.catch((error: unknown) => error);
      await expect.poll(async () => (await fake.calls()).length).toBe(before + 1);
      await otherClient[Symbol.asyncDispose]();
      expect(await outcome).toMatchObject({ reason: "unavailable" });
    });

    test("speaks TCP too", async () => {
      const other = await launchFake({ generation, network: "tcp" });
      const otherClient = create(other);
      expect((await otherClient.execute(toExecution("echo"), "fake")).error).toBe("");
      await otherClient[Symbol.asyncDispose]();
      await other.stop();
    });

    test("gives up on a plugin that does not introduce itself", async () => {
      const silent = await launchFake({ generation, capabilities: "hang" });
      const otherClient = create(silent);
      const deadline = AbortSignal.timeout(50);
      await expect(otherClient.capabilities(deadline)).rejects.toMatchObject({
        reason: "timed-out",
      });
      await otherClient[Symbol.asyncDispose]();
      await silent.stop();
    });
  });
}
