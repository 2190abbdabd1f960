import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runOpenTalon, type FinishedRun } from "./support/run-opentalon.ts";
import { createScratch, root } from "./support/scratch.ts";

interface Report {
  readonly kind: string;
  readonly wire: string;
  readonly usable: boolean;
  readonly rules: readonly {
    readonly rule: string;
    readonly outcome: string;
    readonly why: string;
  }[];
}

const node = process.execPath;
const fake = join(root, "packages/opentalon/src/plugins/testing/fake-plugin.ts");

async function testPlugin(
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<FinishedRun> {
  using scratch = createScratch();
  return await runOpenTalon({
    arguments: ["plugin", "test", ...command],
    folder: scratch.folder,
    workingDirectory: root,
    environment,
  });
}

async function report(command: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await testPlugin(["--json", ...command]);
  expect(stderr).toBe("");
  const parsed = JSON.parse(stdout) as Report;
  expect(code).toBe(parsed.usable ? 0 : 1);
  return parsed;
}

const brokenOf = ({ rules }: Report): readonly string[] =>
  rules.filter(({ outcome }) => outcome === "broken").map(({ rule }) => rule);

describe("opentalon plugin test", () => {
  it.each([
    ["tool", [node, "plugins/hello-world/dist/main.js"]],
    ["tool", [node, "examples/02-tool-plugin/main.ts"]],
    ["provider", [node, "examples/03-provider-plugin/main.ts"]],
    ["tool", [node, "examples/04-hook-plugin/main.ts"]],
    ["channel", ["--config", '{"port": 0}', node, "examples/07-channel/main.ts"]],
  ])("finds nothing wrong with a %s: %j", async (kind, command) => {
    const found = await report(command);
    expect(brokenOf(found)).toEqual([]);
    expect(found).toMatchObject({ kind, wire: "grpc", usable: true });
  });

  it("takes a plugin of the first wire generation for what it is", async () => {
    const found = await report([node, fake, JSON.stringify({ generation: "json" })]);
    expect(found).toMatchObject({ kind: "tool", wire: "json", usable: true });
    expect(brokenOf(found)).not.toContain("answers-in-order");
  });

  it("prints a table, what was seen and how to mend it", async () => {
    using scratch = createScratch();
    const config = join(scratch.folder, "config.yaml");
    writeFileSync(config, "max_notes: 0\n");
    const command = ["--config", config, node, "examples/02-tool-plugin/main.ts"];
    const { code, stdout } = await testPlugin(command);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^init +must +BROKEN/m);
    expect(stdout).toMatch(/^ {2}Seen: .*`max_notes` must be a whole number of at least 1$/m);
    expect(stdout).toMatch(/^ {2}Mend: .+\.$/m);
    expect(stdout).toMatch(/1 broken\. OpenTalon cannot use it as it is\.\n$/);
  });

  it("calls what it is told to call", async () => {
    const found = await report(["--call", 'echo={"text":"hello"}', node, fake]);
    expect(found.rules.find(({ rule }) => rule === "calls")).toMatchObject({
      outcome: "kept",
      why: "echo",
    });
  });

  it("says why a plugin does not start", async () => {
    const crashing = await testPlugin([node, fake, '{"start":"crash"}']);
    expect(crashing.code).toBe(1);
    expect(crashing.stdout).toMatch(/^listens +must +BROKEN/m);
    expect(crashing.stdout).toMatch(/cannot find my configuration/);
    const missing = await testPlugin(["/no/such/program"]);
    expect([missing.code, missing.stdout]).toEqual([1, ""]);
    expect(missing.stderr).toContain("there is no program /no/such/program");
  });

  it.each([
    [["--call", "roll", "--call", "={}", "x"], /It is the name of an action/],
    [["--config", "/no/such/file", "x"], /--config cannot be read/],
    [["--config", "{", "x"], /--config cannot be read/],
  ])("refuses options that make no sense: %j", async (command, words) => {
    const { code, stderr } = await testPlugin(command);
    expect(code).toBe(1);
    expect(stderr).toMatch(words);
  });

  it("leaves nothing of the plugin when it is interrupted", async () => {
    using scratch = createScratch();
    const hanging = [node, fake, '{"start":"hang"}'];
    const child = spawn(join(root, "opentalon"), ["plugin", "test", ...hanging], {
      cwd: root,
      env: { PATH: process.env["PATH"], HOME: scratch.folder, TMPDIR: scratch.folder },
      stdio: "ignore",
    });
    const started = (): boolean =>
      readdirSync(scratch.folder).some((name) => name.startsWith("otk-"));
    await expect.poll(started, { timeout: 30_000 }).toBe(true);
    child.kill("SIGINT");
    const [code] = (await once(child, "exit")) as [number];
    expect(code).toBe(130);
    expect(started()).toBe(false);
  });
});

it.each(["02-tool-plugin", "07-channel"])("the tests of example %s pass", async (example) => {
  const test = join("examples", example, "main.test.ts");
  const { NODE_OPTIONS: _, ...environment } = process.env;
  const child = spawn(node, ["--test", test], {
    cwd: root,
    env: { ...environment, TMPDIR: tmpdir() },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  await once(child, "close");
  expect(output).toMatch(/pass [1-9]/);
  expect(output).toMatch(/fail 0/);
});
