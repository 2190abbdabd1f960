/**
 * `make bench`: what one call of a plugin costs from the core, beside a bare gRPC client that calls the same program, and
 * how soon a `kill -9` is told and mended.
 */
import { create } from "@bufbuild/protobuf";
import { pluginMessages, pluginServiceMethods } from "@opentalon/protocol";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { systemClock } from "../../packages/opentalon/src/base/clock.ts";
import { createSilentLog } from "../../packages/opentalon/src/base/create-log.ts";
import { createGrpcClient } from "../../packages/opentalon/src/plugins/grpc-client.ts";
import type { PluginHost } from "../../packages/opentalon/src/plugins/plugin-host.ts";
import { createPluginHost } from "../../packages/opentalon/src/plugins/plugin-host.ts";
import { toFakePluginCommand } from "../../packages/opentalon/src/plugins/testing/fake-plugin-command.ts";
import { launchFake } from "../../packages/opentalon/src/plugins/testing/launch-fake.ts";
import { printTable } from "../support/print-table.ts";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "5000" },
    parallel: { type: "string", default: "32" },
    seconds: { type: "string", default: "4" },
    kills: { type: "string", default: "7" },
  },
});
const calls = Number(values.calls);
const parallel = Number(values.parallel);
const seconds = Number(values.seconds);

type Call = () => Promise<unknown>;

async function startHost(): Promise<PluginHost> {
  const host = createPluginHost({
    entries: [{ key: "fake", command: toFakePluginCommand(), healthCheckIntervalMs: 30_000 }],
    configuredKeys: [],
    environment: process.env,
    log: createSilentLog(),
    clock: systemClock,
    onChange: () => {},
    onCall: () => {},
  });
  await host.start();
  return host;
}

function callFromCore(host: PluginHost, signal: AbortSignal): Call {
  let id = 0;
  return () =>
    host.execute("fake", {
      callId: `call-${(id += 1)}`,
      action: "structured",
      arguments: { text: "What is the weather in Berlin?" },
      signal,
      timeoutMs: 30_000,
    });
}

/** The library's client, and nothing around it. */
function callBare(client: ReturnType<typeof createGrpcClient>): Call {
  const { path, requestSerialize, responseDeserialize } = pluginServiceMethods.execute;
  let id = 0;
  return () =>
    new Promise((resolve, reject) => {
      const request = create(pluginMessages.ToolCallRequestSchema, {
        id: `call-${(id += 1)}`,
        plugin: "fake",
        action: "structured",
        args: { text: "What is the weather in Berlin?" },
      });
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        (error, response) => (error === null ? resolve(response) : reject(error)),
      );
    });
}

/** One call after the other, in turns, so that both meet the same machine. */
async function measureLatency(
  ways: readonly Call[],
): Promise<readonly { readonly p50: number; readonly p99: number }[]> {
  const timesMs: number[][] = ways.map(() => []);
  for (let index = -1_000; index < calls; index += 1) {
    for (const [way, call] of ways.entries()) {
      const startedAt = performance.now();
      await call();
      if (index >= 0) timesMs[way]?.push(performance.now() - startedAt);
    }
  }
  return timesMs.map((times) => ({ p50: quantile(times, 0.5), p99: quantile(times, 0.99) }));
}

interface Throughput {
  readonly perSecond: number;
  /** Processor time of this process alone, per call. */
  readonly microseconds: number;
}

async function measureThroughput(call: Call): Promise<Throughput> {
  const before = process.cpuUsage();
  const endAt = performance.now() + seconds * 1_000;
  let done = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < endAt) {
      await call();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, caller));
  const { user, system } = process.cpuUsage(before);
  return { perSecond: done / seconds, microseconds: (user + system) / done };
}

function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}

async function measureKill(): Promise<{ readonly errorMs: number; readonly backMs: number }> {
  const host = await startHost();
  try {
    const { signal } = new AbortController();
    const hanging = host
      .execute("fake", {
        callId: "hang",
        action: "hang",
        arguments: {},
        signal,
        timeoutMs: 60_000,
      })
      .catch(() => {});
    // An answer to a later call shows that the first one has arrived.
    await callFromCore(host, signal)();
    const killedAt = performance.now();
    process.kill(host.statuses()[0]?.pid ?? 0, "SIGKILL");
    await hanging;
    const errorMs = performance.now() - killedAt;
    const call = callFromCore(host, signal);
    while (
      !(await call().then(
        () => true,
        () => false,
      ))
    )
      await new Promise((resolve) => setTimeout(resolve, 2));
    return { errorMs, backMs: performance.now() - killedAt };
  } finally {
    await host[Symbol.asyncDispose]();
  }
}

const ms = (value: number): string => `${value.toFixed(2)} ms`;
const micro = (value: number): string => `${value.toFixed(0)} µs`;
const perSecond = (value: number): string => `${value.toFixed(0)} calls/s`;

process.stdout.write(
  `${cpus().length} cores, ${cpus()[0]?.model ?? ""}, Node ${process.version}\n`,
);
const host = await startHost();
const bareFake = await launchFake();
const client = createGrpcClient({
  plugin: "fake",
  address: bareFake.handshake,
  maxMessageBytes: 32 * 2 ** 20,
});
try {
  const core = callFromCore(host, new AbortController().signal);
  const bare = callBare(client);
  const [coreMs, bareMs] = await measureLatency([core, bare]);
  await measureThroughput(core);
  const rounds = [0, 1, 2];
  const ofCore: Throughput[] = [];
  const ofBare: Throughput[] = [];
  for (const _ of rounds) {
    ofCore.push(await measureThroughput(core));
    ofBare.push(await measureThroughput(bare));
  }
  const median = (all: readonly Throughput[], of: keyof Throughput): number =>
    quantile(
      all.map((each) => each[of]),
      0.5,
    );
  printTable(
    ["one call over a Unix socket", "from the core", "bare grpc-js client"],
    [
      ["one after the other, p50", ms(coreMs?.p50 ?? 0), ms(bareMs?.p50 ?? 0)],
      ["one after the other, p99", ms(coreMs?.p99 ?? 0), ms(bareMs?.p99 ?? 0)],
      [
        `${parallel} at once, median of ${rounds.length}`,
        perSecond(median(ofCore, "perSecond")),
        perSecond(median(ofBare, "perSecond")),
      ],
      [
        "processor time of the caller, per call",
        micro(median(ofCore, "microseconds")),
        micro(median(ofBare, "microseconds")),
      ],
    ],
  );
} finally {
  client.close();
  await bareFake.stop();
  await host[Symbol.asyncDispose]();
}

const kills: Awaited<ReturnType<typeof measureKill>>[] = [];
for (let round = 0; round < Number(values.kills); round += 1) kills.push(await measureKill());
const errors = kills.map(({ errorMs }) => errorMs);
const returns = kills.map(({ backMs }) => backMs);
process.stdout.write("\n");
printTable(
  [`kill -9 in the middle of a call, ${kills.length} times`, "median", "slowest"],
  [
    ["until its caller has the error", ms(quantile(errors, 0.5)), ms(Math.max(...errors))],
    ["until the plugin answers again", ms(quantile(returns, 0.5)), ms(Math.max(...returns))],
  ],
);
