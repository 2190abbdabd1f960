import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { runOpenTalon, type FinishedRun, type RunOptions } from "./support/run-opentalon.ts";
import { createScratch, root, type Scratch } from "./support/scratch.ts";

const patient = { timeout: 30_000 };
const helloWorldPlugin = join(root, "plugins/hello-world/hello-world-plugin");

/** A file with the console, a state folder of its own and whatever else is given. */
function writeYaml(
  scratch: Scratch,
  text: string,
  path = join(scratch.folder, "config.yaml"),
): string {
  const rest = `
channels:
  console: {enabled: true, plugin: console, config: {}}
state: {data_dir: ${scratch.stateFolder}}
log: {level: warn}
`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text + rest);
  return path;
}

function toProviderYaml(url: string, key = "some-key"): string {
  return `models:
  providers:
    local: {base_url: "${url}", api_key: "${key}", models: [{id: test-model, features: [tools]}]}
`;
}

const run = (scratch: Scratch, options: Omit<RunOptions, "folder">): Promise<FinishedRun> =>
  runOpenTalon({ folder: scratch.folder, ...options });

describe("the configuration file", () => {
  it.each(["-config FILE", "--config FILE", "--config=FILE", "-config=FILE"])(
    "is named with %s",
    async (form) => {
      using scratch = createScratch();
      await using models = await createModelServer();
      const path = writeYaml(scratch, toProviderYaml(models.url));
      const finished = await run(scratch, {
        arguments: form.replace("FILE", path).split(" "),
        input: "hi\n",
      });
      expect(finished).toEqual({ code: 0, stdout: "answer: hi\n", stderr: "" });
    },
  );

  it("is ~/.opentalon/config.yaml when none is named", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    writeYaml(scratch, toProviderYaml(models.url), join(scratch.folder, ".opentalon/config.yaml"));
    const finished = await run(scratch, { arguments: [], input: "hi\n" });
    expect(finished).toEqual({ code: 0, stdout: "answer: hi\n", stderr: "" });
  });

  it("that is missing is an error that says where it was looked for and what to do", async () => {
    using scratch = createScratch();
    const unnamed = await run(scratch, { arguments: [] });
    expect([unnamed.code, unnamed.stdout]).toEqual([1, ""]);
    expect(unnamed.stderr).toContain(join(scratch.folder, ".opentalon/config.yaml"));
    expect(unnamed.stderr).toMatch(
      /Copy config\.example\.yaml there, or name another file with --config/,
    );
    const named = await run(scratch, { arguments: ["--config", "nowhere.yaml"] });
    expect(named.code).toBe(1);
    expect(named.stderr).toContain("nowhere.yaml");
    expect(existsSync(join(scratch.folder, ".opentalon"))).toBe(false);
  });

  it("that is no YAML is an error with file and line", async () => {
    using scratch = createScratch();
    const path = writeYaml(scratch, "models:\n  providers:\n    local: {base_url: [\n");
    const { code, stdout, stderr } = await run(scratch, {
      arguments: ["--config", path],
      input: "hi\n",
    });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(path);
    expect(stderr).toMatch(/line \d+/);
    expect(existsSync(scratch.stateFolder)).toBe(false);
  });

  it("with values of the wrong type names all of them with line, key, what was expected and what was found", async () => {
    using scratch = createScratch();
    const path = writeYaml(
      scratch,
      "agent:\n  tool_timeout: 30\nplugins:\n  a:\n    enabled: perhaps\n",
    );
    const { code, stderr } = await run(scratch, { arguments: ["--config", path] });
    expect(code).toBe(1);
    expect(stderr).toContain(`${path} has 2 problems`);
    expect(stderr).toMatch(
      /line 2 +agent\.tool_timeout\n +Expected a duration.*; found the text "30"\. Did you mean `30s`\?/,
    );
    expect(stderr).toMatch(
      /line 5 +plugins\.a\.enabled\n +Expected true or false; found the text "perhaps"/,
    );
  });

  it("with a key that does not exist warns, says which was probably meant, and starts", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const path = writeYaml(
      scratch,
      `${toProviderYaml(models.url)}orchestrator:\n  rulez: [be kind]\n`,
    );
    const { code, stdout, stderr } = await run(scratch, {
      arguments: ["--config", path],
      input: "hi\n",
    });
    expect([code, stdout]).toEqual([0, "answer: hi\n"]);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain(`${path}:5: orchestrator.rulez:`);
    expect(stderr).toMatch(/Did you mean `(orchestrator\.)?rules`\?/);
  });
});

describe("a variable that is not set", () => {
  it("is an error in a part that is switched on, naming both", async () => {
    using scratch = createScratch();
    const text =
      "plugins:\n  weather: {enabled: true, plugin: ./weather, config: {token: '${WEATHER_TOKEN}'}}\n";
    const path = writeYaml(scratch, text);
    const { code, stderr } = await run(scratch, { arguments: ["--config", path] });
    expect(code).toBe(1);
    expect(stderr).toMatch(/line 2 .*plugins\.weather\.config\.token/);
    expect(stderr).toContain(
      "The environment variable WEATHER_TOKEN is not set, and plugin `weather` needs it",
    );
  });

  it("does not matter in a part that is switched off", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const text =
      "plugins:\n  weather: {enabled: false, plugin: ./weather, config: {token: '${WEATHER_TOKEN}'}}\n";
    const path = writeYaml(scratch, toProviderYaml(models.url) + text);
    const finished = await run(scratch, { arguments: ["--config", path], input: "hi\n" });
    expect(finished).toEqual({ code: 0, stdout: "answer: hi\n", stderr: "" });
  });

  it("keeps only the channel from running that needs it, which says so", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const chat = "  chat: {enabled: true, plugin: slack, config: {bot_token: '${CHAT_TOKEN}'}}\n";
    const path = writeYaml(scratch, toProviderYaml(models.url));
    const written = readFileSync(path, "utf8");
    writeFileSync(path, written.replace("channels:\n", `channels:\n${chat}`));
    const finished = await run(scratch, { arguments: ["--config", path], input: "hi\n" });
    expect(finished).toMatchObject({ code: 0, stdout: "answer: hi\n" });
    expect(finished.stderr).toContain("Left out: it needs CHAT_TOKEN in the environment.");
    writeFileSync(path, `channels:\n${chat}`);
    const { code, stderr } = await run(scratch, { arguments: ["--config", path] });
    expect(code).toBe(1);
    expect(stderr).toContain("channels.chat: it needs CHAT_TOKEN in the environment");
  });

  it("of every provider lets the demo model answer, marked so, with one line about it on standard error", async () => {
    using scratch = createScratch();
    const path = writeYaml(
      scratch,
      toProviderYaml("https://models.invalid/v1", "${SOME_MODEL_KEY}"),
    );
    const { code, stdout, stderr } = await run(scratch, {
      arguments: ["--config", path],
      input: "hi\n",
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\[demo\] .*hi/);
    expect(stderr.split("\n").filter((line) => line.includes("demo model answers"))).toHaveLength(
      1,
    );
    expect(stderr).toMatch(/set SOME_MODEL_KEY for a real one/);
  });

  it("of the primary model's provider is an error when another provider is configured", async () => {
    using scratch = createScratch();
    const text = `models:
  providers:
    wanted: {base_url: "https://models.invalid/v1", api_key: "\${WANTED_KEY}", models: [big]}
    other: {base_url: "https://models.invalid/v1", api_key: "\${OTHER_KEY}", models: [small]}
routing: {primary: wanted/big}
`;
    const path = writeYaml(scratch, text);
    const options = { arguments: ["--config", path], environment: { OTHER_KEY: "other-key" } };
    const { code, stderr } = await run(scratch, options);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /routing\.primary names provider `wanted`.*WANTED_KEY is not set.*other/,
    );
  });
});

describe("a file of the first releases", () => {
  it("may name a plugin's program with `path`", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const text = `orchestrator:
  content_preparers: [{plugin: hello-world, action: prepare, arg_key: text}]
plugins:
  hello-world: {enabled: true, path: ${helloWorldPlugin}}
`;
    const path = writeYaml(scratch, toProviderYaml(models.url) + text);
    const { code, stderr } = await run(scratch, {
      arguments: ["--config", path],
      input: "Hello\n",
    });
    expect([code, stderr]).toEqual([0, ""]);
    expect(models.requests[0]?.body.messages?.at(-1)?.content).toMatch(/^Hello world/);
  });

  it("may have channels of five kinds: those that cannot run are named, the console runs", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const unreachable = {
      "my-slack": { enabled: true, plugin: "./plugins/my-slack", config: { bot_token: "x" } },
      "my-telegram": { enabled: true, plugin: "grpc://127.0.0.1:9", config: { bot_token: "x" } },
      "my-teams": { enabled: true, plugin: "docker://ghcr.io/example/teams:latest" },
      "my-bridge": { enabled: true, plugin: "wss://127.0.0.1:9/channel" },
    };
    const configPath = scratch.writeConfig(models.url, {
      channels: {
        ...unreachable,
        "my-whatsapp": { enabled: true, plugin: "http://127.0.0.1:9/whatsapp" },
        console: { enabled: true, plugin: "console", config: {} },
      },
      server: { addr: "127.0.0.1:0" },
    });
    await using core = startCore({ configPath });
    await core.ready();
    for (const channel of Object.keys(unreachable)) {
      await core.logged((line) => line["channel"] === channel && line.level >= 40);
    }
    core.write("anyone?\n");
    await expect.poll(core.output, patient).toBe("answer: anyone?\n");
    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
  });
});

describe("the command line", () => {
  it("checks a file: `config check` ends with 0 for a good one and with 1 for a bad one", async () => {
    using scratch = createScratch();
    const good = writeYaml(scratch, "orchestrator: {rulez: []}\n");
    const fine = await run(scratch, { arguments: ["config", "check", "--config", good] });
    expect([fine.code, fine.stdout]).toEqual([0, `${good} is fine\n`]);
    expect(fine.stderr).toContain("orchestrator.rulez");
    const bad = writeYaml(scratch, "orchestrator: 7\n", join(scratch.folder, "bad.yaml"));
    const broken = await run(scratch, { arguments: ["--config", bad, "config", "check"] });
    expect([broken.code, broken.stdout]).toEqual([1, ""]);
    expect(broken.stderr).toMatch(/Expected a map/);
    expect(existsSync(scratch.stateFolder)).toBe(false);
  });

  it("shows the configuration in effect without any secret", async () => {
    using scratch = createScratch();
    const secrets = [
      "written-provider-key",
      "provider-key-of-variable",
      "plugin-password-1",
      "plugin-env-token",
      "hook-signing-key",
    ];
    const [written = "", variable = "", password = "", token = "", signing = ""] = secrets;
    const path = join(scratch.folder, "config.yaml");
    const text = `models:
  providers:
    one: {base_url: "https://models.invalid/v1", api_key: ${written}, models: [m]}
    two: {base_url: "https://models.invalid/v1", api_key: "\${TWO_KEY}", models: [m]}
plugins:
  a: {enabled: true, plugin: ./a, config: {password: ${password}, colour: blue}, env: ["A_TOKEN=${token}"]}
channels:
  hook: {enabled: true, plugin: "https://platform.invalid/out", config: {secret: ${signing}}}
state: {data_dir: ${scratch.stateFolder}}
`;
    writeFileSync(path, text);
    const options = {
      arguments: ["config", "show", "--config", path],
      environment: { TWO_KEY: variable },
    };
    const { code, stdout, stderr } = await run(scratch, options);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("https://models.invalid/v1");
    expect(stdout).toContain("colour: blue");
    expect(stdout.match(/\[secret\]/g)).toHaveLength(secrets.length);
    for (const secret of secrets) expect(stdout).not.toContain(secret);
  });

  it("tells its version and its options", async () => {
    using scratch = createScratch();
    const { version } = JSON.parse(
      readFileSync(join(root, "packages/opentalon/package.json"), "utf8"),
    ) as { version: string };
    for (const form of ["--version", "-version"]) {
      const finished = await run(scratch, { arguments: [form] });
      expect(finished).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    }
    const help = await run(scratch, { arguments: ["--help"] });
    expect([help.code, help.stderr]).toEqual([0, ""]);
    expect(help.stdout).toMatch(/--config <path>/);
    const unknown = await run(scratch, { arguments: ["--colour"] });
    expect([unknown.code, unknown.stdout]).toEqual([1, ""]);
    expect(unknown.stderr).toContain("--colour");
  });
});

describe("the example file", () => {
  const useExample = (scratch: Scratch): string => {
    const path = join(scratch.folder, "config.yaml");
    copyFileSync(join(root, "config.example.yaml"), path);
    return path;
  };

  it("runs as it is with an empty environment: plugin, demo model, console", async () => {
    using scratch = createScratch();
    const path = useExample(scratch);
    const options = { arguments: ["--config", path], input: "Hello\n", workingDirectory: root };
    const { code, stdout, stderr } = await run(scratch, options);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\[demo\] .*Hello world/);
    expect(stderr.split("\n").filter((line) => line.includes("demo model answers"))).toHaveLength(
      1,
    );
    expect(existsSync(join(scratch.folder, ".opentalon", "state.db"))).toBe(true);
  });

  it("with a single key set uses that service and leaves the others out", async () => {
    using scratch = createScratch();
    const path = useExample(scratch);
    const key = "sk-key-of-this-test-only";
    const options = {
      arguments: ["--config", path, "config", "show"],
      environment: { OPENAI_API_KEY: key },
      workingDirectory: root,
    };
    const { code, stdout, stderr } = await run(scratch, options);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/openai:\n +api_key: "?\[secret\]"?\n/);
    expect(stdout).toMatch(/unset_variable: DEEPSEEK_API_KEY/);
    expect(stdout).not.toMatch(/unset_variable: OPENAI_API_KEY/);
    expect(stdout).not.toContain(key);
  });
});
