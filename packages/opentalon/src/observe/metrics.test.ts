import { expect, test } from "vitest";
import { readBody, toHttpRequest } from "../base/testing/http-request.ts";
import type { PluginStatus } from "../domain/plugin.ts";
import { createMetrics } from "./metrics.ts";

const status = (key: string, changes: Partial<PluginStatus> = {}): PluginStatus => ({
  key,
  name: key,
  state: "ready",
  problem: "",
  restarts: 0,
  sinceMs: 0,
  actions: 1,
  ...changes,
});

test("tells the states, restarts and calls of plugins, and how the process is", async () => {
  const statuses = [status("a"), status("b", { state: "failed", restarts: 3 })];
  using metrics = createMetrics({ pluginStatuses: () => statuses });
  metrics.pluginCalled({ plugin: "a", outcome: "ok", durationMs: 20 });
  metrics.pluginCalled({ plugin: "a", outcome: "timed-out", durationMs: 2_000 });
  const read = async (): Promise<string> => {
    const answer = await metrics.route.handle(toHttpRequest({ path: "/metrics" }));
    expect(answer.status).toBe(200);
    expect(answer.contentType).toContain("text/plain");
    return readBody(answer);
  };
  const text = await read();
  const lines = text.split("\n");
  expect(lines).toContain('opentalon_plugin_state{plugin="a",state="ready"} 1');
  expect(lines).toContain('opentalon_plugin_state{plugin="a",state="failed"} 0');
  expect(lines).toContain('opentalon_plugin_state{plugin="b",state="failed"} 1');
  expect(lines).toContain('opentalon_plugin_restarts_total{plugin="b"} 3');
  expect(lines).toContain('opentalon_plugin_calls_total{plugin="a",outcome="ok"} 1');
  expect(lines).toContain('opentalon_plugin_calls_total{plugin="a",outcome="timed-out"} 1');
  expect(lines).toContain('opentalon_plugin_call_duration_seconds_bucket{le="0.025",plugin="a"} 1');
  expect(lines).toContain('opentalon_plugin_call_duration_seconds_count{plugin="a"} 2');
  expect(text).toMatch(/^process_cpu_seconds_total/m);
  expect(await read()).toContain('opentalon_plugin_restarts_total{plugin="b"} 3');
});
