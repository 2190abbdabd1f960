import { expect, test } from "vitest";
import { parseConfig } from "../config/load-config.ts";
import { toHookSteps } from "./hook-steps.ts";

const step = (plugin: string, more = {}) => ({ plugin, action: "do", ...more });

function read(orchestrator: readonly unknown[], slack: readonly unknown[]) {
  const text = JSON.stringify({
    channels: { slack: { content_preparers: slack }, console: {} },
    orchestrator: { content_preparers: orchestrator },
  });
  const { config } = parseConfig({ text, path: "/c.yaml", environment: {} });
  return toHookSteps(config, (plugin) => plugin === "trusted");
}

test("a channel's steps come before those of all, each kind by itself", () => {
  const steps = read(
    [step("all"), step("mask", { guard: true }), step("ears", { stt: true, fail_open: true })],
    [step("own"), step("ownMask", { guard: true }), step("ownEars", { stt: true })],
  );
  const names = (list: readonly { readonly plugin: string }[]) => list.map(({ plugin }) => plugin);
  const ofSlack = steps.of("slack");
  expect(names(ofSlack.preparers)).toEqual(["own", "all"]);
  expect(names(ofSlack.guards)).toEqual(["ownMask", "mask"]);
  expect(names(ofSlack.transcribers)).toEqual(["ownEars", "ears"]);
  for (const channel of ["console", "unknown"]) {
    const { preparers, guards, transcribers } = steps.of(channel);
    expect([preparers, guards, transcribers].map(names)).toEqual([["all"], ["mask"], ["ears"]]);
  }
});

test("only what runs before the turn can be trusted to start something", () => {
  const { preparers, guards } = read(
    [step("trusted"), step("other"), step("trusted", { guard: true })],
    [],
  ).of("x");
  expect(preparers.map(({ isTrusted }) => isTrusted())).toEqual([true, false]);
  expect(guards.map(({ isTrusted }) => isTrusted())).toEqual([false]);
});

test("whether anything runs before the turn is known without a channel", () => {
  expect(read([], []).hasPreparers).toBe(false);
  expect(read([step("mask", { guard: true })], []).hasPreparers).toBe(false);
  expect(read([step("ears", { stt: true })], []).hasPreparers).toBe(true);
  expect(read([], [step("own")]).hasPreparers).toBe(true);
});
