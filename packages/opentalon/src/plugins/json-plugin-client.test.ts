import { expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createJsonPluginClient } from "./json-plugin-client.ts";
import { describePluginClient } from "./plugin-client.contract.ts";
import { launchFake } from "./testing/launch-fake.ts";

describePluginClient({
  generation: "json",
  create: (fake) =>
    createJsonPluginClient({
      plugin: "fake",
      address: fake.handshake,
      maxMessageBytes: 32 * 2 ** 20,
      clock: systemClock,
    }),
});

test("a call too long for the first generation is refused before it is sent", async () => {
  const fake = await launchFake({ generation: "json" });
  const client = createJsonPluginClient({
    plugin: "fake",
    address: fake.handshake,
    maxMessageBytes: 2 ** 20,
    clock: systemClock,
  });
  const execution = {
    callId: "1",
    action: "echo",
    signal: new AbortController().signal,
    timeoutMs: 10_000,
  };
  const call = client.execute(
    { ...execution, arguments: { text: "x".repeat(4 * 2 ** 20) } },
    "fake",
  );
  await expect(call).rejects.toMatchObject({
    reason: "protocol-violated",
    message: expect.stringContaining("this kind of plugin takes") as string,
  });
  expect(await fake.calls()).toEqual([]);
  await fake.stop();
});
