import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createLuaMachine, type LuaMachine } from "../../hooks/lua/lua-machine.ts";
import { compileLua } from "../../hooks/lua/lua-module.ts";
import { listScripts } from "../../hooks/lua/script-file.ts";
import { testScripts } from "./test-scripts.ts";

const directory = join(import.meta.dirname, "../../../../../lua");
const limits = { memoryMb: 64, timeoutMs: 5_000, modelTimeoutMs: 1_000, maxModelCalls: 3 };

it("the scripts that come with the program pass their tests, and each has some", async () => {
  const results = await testScripts({
    directory,
    limits,
    environment: {},
    clock: systemClock,
    log: createSilentLog(),
  });
  expect(results.filter(({ isPassed }) => !isPassed)).toEqual([]);
  const tested = new Set(results.map(({ file }) => file));
  for (const name of listScripts(directory)) expect(tested).toContain(`${name}.cases.yaml`);
});

/** Texts of 32 KiB made to be expensive. */
const hostile: Readonly<Record<string, string>> = {
  backticks: Array.from({ length: 250 }, (_, index) => "`".repeat(index)).join(" "),
  "open emphasis": "**a _b ~~c ".repeat(3_000),
  brackets: "[".repeat(32_768),
  "open links": "[a](((".repeat(5_400) + ")",
  ats: "a@".repeat(16_384),
  "letters and one at": `${"a".repeat(32_768)}@`,
  digits: "4 ".repeat(16_384),
  "long digits": "4".repeat(32_768),
  "dots and digits": "1.".repeat(16_384),
  colons: "a:".repeat(16_384),
  ibans: "DE89 ".repeat(6_500),
  "begins of tokens": "sk-".repeat(10_922),
  "begins of signed tokens": "eyJa.".repeat(6_553),
  addresses: "x://a:".repeat(5_461),
  assignments: "password=".repeat(3_640),
  "address with an end": `https://a${")".repeat(32_000)}x`,
  "wide table": `|${"a|".repeat(400)}\n|-|\n${"|b\n".repeat(10_000)}`,
  spaces: " ".repeat(32_768),
  "headings without end": `# ${" #".repeat(16_000)}x`,
  "lines of nothing": "\n".repeat(32_768),
  colon: `ticket-draft\nSummary: x\nDescription:${" \n".repeat(16_000)}`,
};

/** Only what would hang is caught: the usual time is a hundredth of it. */
const mostMs = 4_000;

it.each(listScripts(directory))("%s takes no hostile text too seriously", async (name) => {
  const machine: LuaMachine = createLuaMachine({
    compiled: await compileLua(),
    memoryBytes: limits.memoryMb * 1_048_576,
    environment: {},
    onHostCall: (call) => (call === "llm" ? { value: "other" } : { value: null }),
  });
  const source = readFileSync(join(directory, `${name}.lua`), "utf8");
  const loaded = machine.load(source, `${name}.lua`);
  const functions = loaded.kind === "done" ? loaded.value : [];
  const stages = [
    ...(functions.some((each) => each === "prepare" || each === "pre_hook") ? ["before"] : []),
    ...(functions.some((each) => each === "format" || each === "post_hook") ? ["after"] : []),
  ] as const;
  expect(stages).not.toEqual([]);
  const formats = name === "format-response" ? ["slack", "telegram", "html", "text"] : [""];
  for (const [text, message] of Object.entries(hostile)) {
    for (const stage of stages) {
      for (const response_format of formats) {
        const startedMs = performance.now();
        const outcome = machine.run(stage as "before", {
          message,
          response_format,
          actor: "a",
          channel: "c",
          metadata: {},
        });
        expect(outcome, text).toMatchObject({ kind: "done" });
        expect(performance.now() - startedMs, text).toBeLessThan(mostMs);
      }
    }
  }
});
