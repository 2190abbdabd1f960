import { afterEach, expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createSecret } from "../base/secret.ts";
import type { CallbackRequest, Execution, RawToolResult } from "../domain/plugin.ts";
import { maxCallbacksAtOnce, maxCallbacksPerCall } from "./grpc-callbacks.ts";
import { createGrpcPluginClient } from "./grpc-plugin-client.ts";
import type { PluginClient } from "./plugin-client.ts";
import type { AskAnswer, AskPlan } from "./testing/fake-callbacks.ts";
import { launchFake, readJournal, type LaunchedFake } from "./testing/launch-fake.ts";

let fake: LaunchedFake;
let client: PluginClient;

async function open(maxMessageBytes = 32 * 2 ** 20): Promise<void> {
  fake = await launchFake({ callbacks: true });
  client = createGrpcPluginClient({
    plugin: "key",
    address: fake.handshake,
    maxMessageBytes,
    clock: systemClock,
  });
}

afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await fake.stop();
});

const never = new AbortController().signal;

function execute(
  action: string,
  args: Execution["arguments"],
  rest: Partial<Execution> = {},
): Promise<RawToolResult> {
  const run = client.executeWithCallbacks;
  if (run === undefined) throw new Error("this client has no callbacks");
  const execution = { callId: "c", action, arguments: args, signal: never, timeoutMs: 20_000 };
  return run({ ...execution, ...rest }, "fake");
}

const ask = (
  { requests = [], end }: AskPlan,
  onCallback: Execution["onCallback"],
  rest: Partial<Execution> = {},
): Promise<RawToolResult> =>
  execute(
    "ask",
    { requests: JSON.stringify(requests), ...(end === undefined ? {} : { end }) },
    { onCallback, ...rest },
  );

const toAnswers = ({ content }: RawToolResult): readonly AskAnswer[] =>
  JSON.parse(content) as AskAnswer[];

const answer = (content: string): RawToolResult => ({ content, error: "", structuredContent: "" });

test("an action that asks for nothing answers as it does without callbacks, headers included", async () => {
  await open();
  expect((await client.capabilities(never)).supportsCallbacks).toBe(true);
  const credentialHeaders = {
    jira: { header: "Authorization", value: createSecret("Bearer of jira") },
  };
  const { content } = await execute("echo", { text: "é" }, { credentialHeaders });
  expect(JSON.parse(content)).toEqual({
    plugin: "fake",
    action: "echo",
    args: { text: "é" },
    credentials: ["jira Authorization Bearer of jira"],
  });
  expect(await execute("fail", {})).toMatchObject({ error: "it did not work" });
  await expect(execute("wrong-id", {})).rejects.toMatchObject({ reason: "protocol-violated" });
  await expect(
    client.execute(
      { callId: "c", action: "echo", arguments: {}, signal: never, timeoutMs: 9_000 },
      "fake",
    ),
  ).rejects.toThrow("ExecuteBidi");
});

test("what it asks for runs side by side and is answered in any order, by the asker's key", async () => {
  await open();
  const seen: CallbackRequest[] = [];
  const all = Promise.withResolvers<void>();
  const requests = ["slow", "quick", "broken"].map((action) => ({
    plugin: "other",
    action,
    args: { n: action, asker: "forged" },
  }));
  const result = await ask({ requests }, async (request) => {
    seen.push(request);
    if (seen.length === 3) all.resolve();
    await all.promise;
    if (request.action === "slow") await new Promise((resolve) => setTimeout(resolve, 20));
    return request.action === "broken"
      ? { content: "", error: "no such luck", structuredContent: "" }
      : { ...answer(request.action), structuredContent: "{}" };
  });
  expect(seen[0]).toEqual({
    asker: "key",
    plugin: "other",
    action: "slow",
    arguments: { n: "slow", asker: "forged" },
  });
  const answers = toAnswers(result);
  expect(answers.at(-1)?.content).toBe("slow");
  expect(answers.toSorted((one, other) => (one.id < other.id ? -1 : 1))).toEqual([
    { id: "cb-0", content: "slow", error: "", structured: "{}" },
    { id: "cb-1", content: "quick", error: "", structured: "{}" },
    { id: "cb-2", content: "", error: "other__broken: no such luck", structured: "" },
  ]);
  const events = (await readJournal(fake.journal)).map(({ event }) => event);
  expect(events).not.toContain("half-closed");
  expect(events).not.toContain("second-call");
});

test("a few run at once, the others wait their turn", async () => {
  await open();
  let running = 0;
  let most = 0;
  const requests = [{ plugin: "p", action: "a", repeat: 200 }];
  const result = await ask({ requests }, async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return answer("x".repeat(1_000));
  });
  expect(toAnswers(result)).toHaveLength(200);
  // One message may be on its way already when reading stops.
  expect(most).toBeLessThanOrEqual(maxCallbacksAtOnce);
  expect(most).toBeGreaterThan(1);
});

test("a call without anybody who takes callbacks says so to the plugin", async () => {
  await open();
  const requests = [{ plugin: "p", action: "a" }];
  const [refused] = toAnswers(await ask({ requests }, undefined));
  expect(refused?.error).toBe("p__a: this call cannot have other actions run");
  const [broken] = toAnswers(
    await ask({ requests }, () => Promise.reject(new Error("secret of the host"))),
  );
  expect(broken?.error).toBe("p__a: it could not be run");
});

test("when the call is over, so are its callbacks", async () => {
  await open();
  const requests = [{ plugin: "p", action: "a" }];
  const signals: AbortSignal[] = [];
  const onCallback = (_: CallbackRequest, signal: AbortSignal) => {
    signals.push(signal);
    return new Promise<RawToolResult>(() => {});
  };
  expect((await ask({ requests, end: "at-once" }, onCallback)).content).toBe("did not wait");
  await expect(ask({ requests }, onCallback, { timeoutMs: 300 })).rejects.toMatchObject({
    reason: "timed-out",
  });
  const caller = new AbortController();
  const given = ask({ requests }, onCallback, { signal: caller.signal });
  const outcome = given.catch((error: unknown) => error);
  await expect.poll(() => signals.length).toBeGreaterThanOrEqual(2);
  await expect.poll(() => signals.at(-1)?.aborted).toBe(false);
  caller.abort();
  expect(await outcome).toMatchObject({ reason: "unavailable" });
  expect(signals.every(({ aborted }) => aborted)).toBe(true);
  const events = async () => (await readJournal(fake.journal)).map(({ event }) => event);
  await expect.poll(events).toContain("cancelled");
});

test.each<[NonNullable<AskPlan["end"]>, string]>([
  ["without-result", "ended a call without a result"],
  ["empty", "sent a message with nothing in it"],
])("a plugin that ends it otherwise has broken the protocol: %s", async (end, words) => {
  await open();
  await expect(ask({ end }, async () => answer(""))).rejects.toMatchObject({
    reason: "protocol-violated",
    message: expect.stringContaining(words) as string,
  });
});

test("a plugin that never stops asking is stopped", async () => {
  await open();
  let count = 0;
  const requests = [{ plugin: "p", action: "a", repeat: 4 }];
  const flood = ask({ requests, end: "flood" }, async () => {
    count += 1;
    return answer("");
  });
  await expect(flood).rejects.toMatchObject({
    message: expect.stringContaining("more than 10000 callbacks") as string,
  });
  expect(count).toBeLessThanOrEqual(maxCallbacksPerCall);
  expect((await execute("echo", {})).error).toBe("");
});

test("one that reads no answers is not sent ever more of them, and what it sends is not kept", async () => {
  await open();
  const before = process.memoryUsage.rss();
  let count = 0;
  const requests = [{ plugin: "p", action: "a", args: { much: "x".repeat(500_000) } }];
  const call = ask(
    { requests, end: "deaf" },
    async () => {
      count += 1;
      return answer("y".repeat(60_000));
    },
    { timeoutMs: 1_500 },
  );
  await expect(call).rejects.toMatchObject({ reason: "timed-out" });
  expect(count).toBeLessThan(200);
  expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 2 ** 20);
});

test("what waits to be looked at is bounded in bytes", async () => {
  await open(300_000);
  const requests = [
    { plugin: "p", action: "a", repeat: 16 },
    { plugin: "p", action: "a", args: { much: "x".repeat(100_000) }, repeat: 8 },
  ];
  const call = ask({ requests }, () => new Promise<RawToolResult>(() => {}));
  await expect(call).rejects.toMatchObject({
    message: expect.stringContaining("300000 bytes") as string,
  });
});

test("a plugin that crashes in the middle of it ends the call", async () => {
  await open();
  await expect(execute("crash", {})).rejects.toMatchObject({ reason: "unavailable" });
});
