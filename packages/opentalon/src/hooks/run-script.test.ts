import { describe, expect, it } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import { HookError } from "../base/errors.ts";
import type { HookRecord } from "../domain/hook.ts";
import type { InvokeStep } from "./parse-preparer-result.ts";
import type { ScriptText } from "./parse-script-verdict.ts";
import { runFormatters, type FormatterPorts } from "./run-formatters.ts";
import { runPreparers, type Preparer } from "./run-preparers.ts";

type Scripts = Readonly<Record<string, (given: ScriptText) => unknown>>;

function ports(scripts: Scripts, trusted: readonly string[] = []) {
  const records: HookRecord[] = [];
  const calls: InvokeStep[] = [];
  const callAction = (step: InvokeStep) => {
    calls.push(step);
    return Promise.resolve({ content: `did ${step.action}`, isError: false });
  };
  const all: FormatterPorts = {
    callAction,
    invokeAction: callAction,
    isReadOnly: () => true,
    journal: {
      find: () => undefined,
      begin: () => Promise.resolve(),
      record: () => Promise.resolve(),
    },
    callScript: (script, _stage, given) =>
      Promise.resolve().then(() => scripts[script]?.(given) ?? given),
    onHook: (record) => records.push(record),
    isTrustedScript: (script) => trusted.includes(script),
    metadata: { from: "channel" },
    log: createSilentLog(),
  };
  return { ...all, records, calls };
}

const preparer = (script: string, more: Partial<Preparer> = {}): Preparer => ({
  plugin: `lua:${script}`,
  action: "",
  argumentName: "text",
  failOpen: false,
  isTrusted: () => false,
  ...more,
});

const formatter = (script: string, failOpen = true) => ({
  plugin: `lua:${script}`,
  action: "",
  failOpen,
});

const broken = (): never => {
  throw new HookError("HOOK_FAILED", "secret words", { script: "broken", line: 3 });
};
const steps = { plugin: "p", action: "go" };

describe("scripts before the model", () => {
  it("hand text and metadata on, and each run is told", async () => {
    const given = ports({
      first: ({ content }) => ({ message: `${content}1`, metadata: { team: "blue" } }),
      second: ({ content, metadata }) => ({ message: `${content}2${metadata["team"] ?? ""}` }),
      third: () => ({}),
    });
    const entries = ["first", "second", "third"].map((name) => preparer(name));
    expect(await runPreparers(entries, "x", given)).toEqual({
      kind: "continue",
      content: "x12blue",
      metadata: { team: "blue" },
    });
    expect(given.records.map(({ hook, effect }) => [hook, effect])).toEqual([
      ["lua:first", "changed"],
      ["lua:second", "changed"],
      ["lua:third", "unchanged"],
    ]);
  });

  it("end the turn with their words, and the rest is not run", async () => {
    const given = ports({ no: () => ({ drop: true, reason: "not here" }), after: broken });
    const outcome = await runPreparers([preparer("no"), preparer("after")], "x", given);
    expect(outcome).toEqual({ kind: "answer", content: "not here", metadata: {} });
    expect(given.records).toMatchObject([{ hook: "lua:no", effect: "refused" }]);
  });

  it("start actions only when they are trusted", async () => {
    const invoke = () => ({ send_to_llm: false, invoke: steps });
    const untrusted = ports({ go: invoke });
    expect(await runPreparers([preparer("go")], "x", untrusted)).toMatchObject({ content: "x" });
    expect(untrusted.calls).toEqual([]);
    const trusted = ports({ go: invoke });
    const entry = preparer("go", { isTrusted: () => true });
    expect(await runPreparers([entry], "x", trusted)).toMatchObject({
      kind: "answer",
      content: "did go",
    });
    expect(trusted.records).toMatchObject([{ effect: "invoked" }]);
  });

  it("fail closed, without their own words for the person, unless they may fail open", async () => {
    const closed = await runPreparers([preparer("broken")], "x", ports({ broken }));
    expect(closed).toMatchObject({ kind: "answer", metadata: { error_code: "guard_blocked" } });
    expect(JSON.stringify(closed)).not.toContain("secret");
    const open = preparer("broken", { failOpen: true });
    const given = ports({ broken });
    expect(await runPreparers([open], "x", given)).toEqual({ kind: "continue", content: "x" });
    expect(given.records).toMatchObject([{ effect: "failed" }]);
  });

  it("fail when what they return is no verdict", async () => {
    const given = ports({ odd: () => ({ message: { a: 1 } }) });
    expect(await runPreparers([preparer("odd")], "x", given)).toMatchObject({ kind: "answer" });
  });
});

describe("scripts after the model", () => {
  it("shape the answer one after another", async () => {
    const given = ports({
      loud: ({ content }) => ({ message: content.toUpperCase() }),
      note: ({ metadata }) => ({ metadata: { ...metadata, seen: "yes" } }),
    });
    const entries = [formatter("loud"), formatter("note")];
    expect(await runFormatters(entries, "hi", "", given)).toEqual({
      kind: "formatted",
      text: "HI",
      metadata: { from: "channel", seen: "yes" },
    });
  });

  it("have formatted it when they say so, and the channel has a format", async () => {
    const given = ports({
      format: ({ content }) => ({ message: content, formatted: true }),
      note: ({ content }) => ({ message: `${content}!` }),
    });
    const run = (names: readonly string[], format: string): Promise<unknown> =>
      runFormatters(
        names.map((name) => formatter(name)),
        "hi",
        format,
        given,
      );
    expect(await run(["note", "format", "note"], "slack")).toEqual({
      kind: "formatted",
      text: "hi!!",
      isFormatted: true,
    });
    expect(await run(["note"], "slack")).toEqual({ kind: "formatted", text: "hi!" });
    expect(await run(["format"], "")).toEqual({ kind: "formatted", text: "hi" });
  });

  it("make actions of an answer when they are trusted", async () => {
    const act = () => ({ invoke: steps });
    expect(await runFormatters([formatter("act")], "hi", "", ports({ act }))).toEqual({
      kind: "formatted",
      text: "hi",
    });
    const trusted = ports({ act }, ["act"]);
    expect(await runFormatters([formatter("act")], "hi", "", trusted)).toMatchObject({
      text: "did go",
      metadata: { type: "system", action: "go" },
    });
  });

  it("leave the answer as it was when they fail, unless they must not", async () => {
    const given = ports({ broken });
    expect(await runFormatters([formatter("broken")], "hi", "", given)).toEqual({
      kind: "formatted",
      text: "hi",
    });
    expect(await runFormatters([formatter("broken", false)], "hi", "", given)).toMatchObject({
      kind: "failed",
      hook: "lua:broken",
    });
  });
});
