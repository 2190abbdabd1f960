import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createGrpcPluginClient } from "./grpc-plugin-client.ts";
import { describePluginClient } from "./plugin-client.contract.ts";
import type { PluginClient } from "./plugin-client.ts";
import type { FakePluginOptions } from "./testing/fake-plugin-options.ts";
import type { LaunchedFake } from "./testing/launch-fake.ts";
import { launchFake } from "./testing/launch-fake.ts";

const create = (fake: LaunchedFake, maxMessageBytes = 32 * 2 ** 20): PluginClient =>
  createGrpcPluginClient({
    plugin: "fake",
    address: fake.handshake,
    maxMessageBytes,
    clock: systemClock,
  });

describePluginClient({ generation: "grpc", create });

describe("a plugin client for grpc alone", () => {
  const never = new AbortController().signal;
  let fake: LaunchedFake;
  let client: PluginClient;
  const open = async (options: FakePluginOptions, maxMessageBytes?: number): Promise<void> => {
    fake = await launchFake(options);
    client = create(fake, maxMessageBytes);
  };
  const execute = (action: string) =>
    client.execute(
      { callId: "1", action, arguments: {}, signal: never, timeoutMs: 10_000 },
      "fake",
    );

  afterEach(async () => {
    await client[Symbol.asyncDispose]();
    await fake.stop();
  });

  test("delivers the configuration", async () => {
    await open({});
    await client.init('{"token":"t"}', never);
    expect((await execute("config")).content).toBe('{"token":"t"}');
  });

  test("accepts a plugin that takes no configuration", async () => {
    await open({ init: "unimplemented" });
    await expect(client.init("{}", never)).resolves.toBeUndefined();
  });

  test("says why a plugin refuses its configuration", async () => {
    await open({ init: "refuse" });
    await expect(client.init("{}", never)).rejects.toThrow(
      "INVALID_ARGUMENT: configure: the key is missing",
    );
  });

  test("names a status the plugin answered with", async () => {
    await open({});
    await expect(execute("status")).rejects.toThrow("FAILED_PRECONDITION: not today");
  });

  test("replaces invalid UTF-8 in capabilities", async () => {
    await open({ capabilities: "invalid-utf8" });
    expect((await client.capabilities(never)).description).toBe("a�b�");
  });

  test("asks the health service of a plugin that has one", async () => {
    await open({ health: "serving", capabilities: "hang" });
    await expect(client.check(never)).resolves.toBeUndefined();
    await expect(client.check(never)).resolves.toBeUndefined();
  });

  test("believes a plugin that says it is not serving", async () => {
    await open({ health: "not-serving" });
    await expect(client.check(never)).rejects.toThrow("says that it is not serving");
  });

  test("has a plugin say what it can do by now", async () => {
    await open({ refreshed: ["echo", "new"] });
    const { actions = [] } = (await client.refresh(never)) ?? {};
    expect(actions.map(({ name }) => name)).toEqual(["echo", "new"]);
  });

  test("takes messages up to the limit it was given", async () => {
    await open({}, 50);
    expect((await execute("config")).error).toBe("");
    await expect(execute("environment")).rejects.toThrow("larger than max");
  });
});
