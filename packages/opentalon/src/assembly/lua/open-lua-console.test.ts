import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { openLuaConsole, type LuaConsole } from "./open-lua-console.ts";

const limits = { memoryMb: 32, timeoutMs: 5_000, modelTimeoutMs: 1_000, maxModelCalls: 2 };

async function open(
  printed: string[] = [],
  timeoutMs: number = limits.timeoutMs,
): Promise<LuaConsole> {
  return await openLuaConsole({
    limits: { ...limits, timeoutMs },
    environment: { SHOWN: "yes" },
    clock: systemClock,
    onPrint: (line) => void printed.push(line),
  });
}

it("keeps what lines assign, and shows values", async () => {
  await using session = await open();
  expect(await session.load()).toMatchObject({ kind: "done" });
  expect(await session.evaluate("x = {1, 'a', k = true}")).toMatchObject({ text: "" });
  expect(await session.evaluate("x, x.k, 'plain'")).toMatchObject({
    text: '{ 1, "a", k = true }\ttrue\tplain',
  });
  expect(await session.evaluate("ctx.actor, os.getenv('SHOWN'), os.getenv('HOME')")).toMatchObject({
    text: "console:local\tyes\tnil",
  });
});

it("asks for more lines until a statement is whole", async () => {
  const printed: string[] = [];
  await using session = await open(printed);
  await session.load();
  expect(await session.evaluate("for i = 1, 2 do")).toEqual({ kind: "incomplete" });
  expect(await session.evaluate("for i = 1, 2 do\nprint(i, nil)\nend")).toMatchObject({ text: "" });
  expect(printed).toEqual(["1\tnil", "2\tnil"]);
  expect(await session.evaluate("[[long")).toEqual({ kind: "incomplete" });
  expect(await session.evaluate("'short")).toMatchObject({ kind: "failed" });
});

it("has the functions of the script, and gets new ones when it is loaded again", async () => {
  await using session = await open();
  await session.load({ name: "a.lua", source: "function prepare(t) return t .. 1 end" });
  expect(await session.evaluate("prepare('x')")).toMatchObject({ text: "x1" });
  await session.load({ name: "a.lua", source: "function prepare(t) return t .. 2 end" });
  expect(await session.evaluate("prepare('x')")).toMatchObject({ text: "x2" });
  expect(await session.load({ name: "a.lua", source: "function" })).toMatchObject({
    kind: "failed",
    text: expect.stringContaining("a.lua:1:") as string,
  });
});

it("offers what ctx offers, with answers of its own in place of a model", async () => {
  const printed: string[] = [];
  await using session = await open(printed);
  await session.load();
  expect(await session.evaluate("ctx.llm('q')")).toMatchObject({
    text: expect.stringContaining("no model is asked here") as string,
  });
  session.addAnswer("bug");
  expect(await session.evaluate("ctx.llm('q', 'small')")).toMatchObject({ text: "bug" });
  await session.evaluate("ctx.kv_set('k', 'v\\n\"')");
  expect(await session.evaluate("ctx.kv_get('k'), ctx.kv_get('none')")).toMatchObject({
    text: 'v\n"\tnil',
  });
  await session.evaluate("ctx.log('warn', 'oh', 1)");
  expect(printed).toEqual(["[warn] oh\t1"]);
  for (let call = 0; call < 3; call += 1) session.addAnswer("x");
  expect(await session.evaluate("for i = 1, 3 do ctx.llm('q') end")).toMatchObject({
    text: expect.stringContaining("no more than 2 calls") as string,
  });
});

it.each([
  ["an endless loop", "while true do pcall(error) end"],
  ["a pattern that never ends", "(('a'):rep(40)):find(('.-'):rep(20) .. 'b')"],
])("ends %s and goes on", async (_name, source) => {
  await using session = await open([], 1_000);
  await session.load({ name: "a.lua", source: "function f() return 1 end" });
  expect(await session.evaluate(source)).toMatchObject({
    kind: "failed",
    text: expect.stringContaining("did not end within 1000 ms") as string,
  });
  expect(await session.evaluate("f()")).toMatchObject({ text: "1" });
});

it("has no more rights than a hook", async () => {
  await using session = await open();
  await session.load();
  for (const name of ["io", "debug", "package", "require", "dofile", "os.execute", "string.dump"])
    expect(await session.evaluate(name)).toMatchObject({ text: "nil" });
  expect(await session.evaluate("('x'):rep(1e9)")).toMatchObject({
    text: expect.stringContaining("not enough memory") as string,
  });
});
