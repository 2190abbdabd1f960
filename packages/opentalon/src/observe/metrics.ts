/**
 * Gets: what became of calls, and the states of plugins when it is asked. Gives: numbers for Prometheus. Never: takes a
 * label from anywhere but the configuration and lists of our own, so that the number of series is bounded.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { HttpRoute } from "../base/http-route.ts";
import type { PluginCall, PluginState, PluginStatus } from "../domain/plugin.ts";

export interface MetricsOptions {
  readonly pluginStatuses: () => readonly PluginStatus[];
}

export interface Metrics extends Disposable {
  readonly pluginCalled: (call: PluginCall) => void;
  /** `GET /metrics`. */
  readonly route: HttpRoute;
}

const states: readonly PluginState[] = [
  "building",
  "starting",
  "ready",
  "restarting",
  "failed",
  "stopped",
];

export function createMetrics({ pluginStatuses }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const calls = new Counter({
    name: "opentalon_plugin_calls_total",
    help: "Calls of plugins that are over, by what became of them.",
    labelNames: ["plugin", "outcome"],
    registers,
  });
  const durations = new Histogram({
    name: "opentalon_plugin_call_duration_seconds",
    help: "How long calls of plugins took, however they ended.",
    labelNames: ["plugin"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const state = new Gauge({
    name: "opentalon_plugin_state",
    help: "1 for the state a plugin is in, 0 for all others.",
    labelNames: ["plugin", "state"],
    registers,
    collect: () => {
      for (const { key: plugin, state: current } of pluginStatuses())
        for (const each of states) state.set({ plugin, state: each }, each === current ? 1 : 0);
    },
  });
  const restarts = new Counter({
    name: "opentalon_plugin_restarts_total",
    help: "How often a plugin was started again.",
    labelNames: ["plugin"],
    registers,
    collect: () => {
      restarts.reset();
      for (const { key: plugin, restarts: count } of pluginStatuses())
        restarts.inc({ plugin }, count);
    },
  });
  return {
    pluginCalled: ({ plugin, outcome, durationMs }) => {
      calls.inc({ plugin, outcome });
      durations.observe({ plugin }, durationMs / 1_000);
    },
    route: {
      method: "GET",
      path: "/metrics",
      authentication: "door",
      handle: async () => ({
        status: 200,
        contentType: registry.contentType,
        body: await registry.metrics(),
      }),
    },
    [Symbol.dispose]: () => registry.clear(),
  };
}
