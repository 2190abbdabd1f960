import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isSecret } from "../base/secret.ts";
import { loadConfig, parseConfig, revealBlock } from "./load-config.ts";

function parse(text: string, environment: Record<string, string> = {}) {
  return parseConfig({
    text,
    path: "/etc/opentalon/config.yaml",
    environment: { HOME: "/home/ada", ...environment },
  });
}

describe("the example", () => {
  const path = fileURLToPath(new URL("../../../../config.example.yaml", import.meta.url));

  test("loads without warnings, whatever keys are set", async () => {
    for (const environment of [
      {},
      { DEEPSEEK_API_KEY: "sk-deepseek-1234" },
      { GROQ_API_KEY: "gsk-1234567890" },
    ]) {
      const { config, warnings } = await loadConfig({ path, environment });
      expect(warnings).toEqual([]);
      expect(config.routing.primary).toBe("");
    }
  });

  test("names several providers, of which those with a key are configured", async () => {
    const { config } = await loadConfig({
      path,
      environment: { OPENAI_API_KEY: "sk-openai-1234" },
    });
    const { deepseek, openai } = config.models.providers;
    expect(deepseek?.unconfigured).toEqual({ variable: "DEEPSEEK_API_KEY" });
    expect(openai?.unconfigured).toBeUndefined();
    expect(openai?.apiKeys.map((key) => key.reveal())).toEqual(["sk-openai-1234"]);
  });
});

describe("defaults", () => {
  const { config } = parse("");

  test("an empty file is complete", () => {
    expect(config.orchestrator.maxConcurrentSessions).toBe(64);
    expect(config.agent).toEqual({
      maxRounds: 20,
      maxTools: 40,
      firstTokenTimeoutMs: 60_000,
      idleTimeoutMs: 60_000,
      toolTimeoutMs: 30_000,
    });
    expect(config.state.dataDir).toBe("/home/ada/.opentalon");
    expect(config.state.db).toMatchObject({ driver: "sqlite", dsn: undefined, maxOpenConns: 25 });
    expect(config.server).toEqual({
      enabled: false,
      addr: "127.0.0.1:3978",
      token: undefined,
      allowPublic: false,
    });
    expect(config.log).toEqual({ level: "auto", file: "" });
    expect(config.plugins).toEqual({});
    expect(config.pluginSettings.tools.defaults).toEqual({
      timeoutMs: undefined,
      maxResponseBytes: 65_536,
    });
  });

  test("plugins and channels are off, and untrusted, until somebody says otherwise", () => {
    const { plugins, channels } = parse(
      "plugins: {a: {plugin: ./a}, b: }\nchannels: {c: }\n",
    ).config;
    expect(plugins["a"]).toMatchObject({
      enabled: false,
      insecure: true,
      dialTimeoutMs: 5_000,
      timeoutMs: undefined,
    });
    expect(plugins["b"]).toMatchObject({ enabled: false, plugin: "" });
    expect(channels["c"]).toMatchObject({ enabled: false, config: {} });
  });

  test("a key with nothing behind it is the same as no key", () => {
    expect(parse("orchestrator:\n  rules:\n  debounce_window: ~\nlog:\n").config).toEqual(config);
  });

  test("the result is frozen to the last value", () => {
    expect(() => {
      (config.agent as { maxRounds: number }).maxRounds = 1;
    }).toThrow(TypeError);
    expect(Object.isFrozen(config.orchestrator.rules)).toBe(true);
  });
});

describe("values", () => {
  test("texts are taken as they are written", () => {
    const { config } = parse(
      "plugins: {a: {ref: 1.10, github: true}}\norchestrator: {rules: [yes, 007, 'x']}\n",
    );
    expect(config.plugins["a"]).toMatchObject({ ref: "1.10", github: "true" });
    expect(config.orchestrator.rules).toEqual(["yes", "007", "x"]);
  });

  test("switches and numbers as older YAML writes them", () => {
    const { config } = parse("plugins: {a: {enabled: yes, cache: Off, http_port: 1_000}}\n");
    expect(config.plugins["a"]).toMatchObject({ enabled: true, cache: false, httpPort: 1000 });
  });

  test("durations become milliseconds", () => {
    const { config } = parse(
      "orchestrator: {debounce_window: 1.5s}\nplugins: {a: {dial_timeout: 1m30s, timeout: 0}}\n",
    );
    expect(config.orchestrator.debounceWindowMs).toBe(1_500);
    expect(config.plugins["a"]).toMatchObject({ dialTimeoutMs: 90_000, timeoutMs: 0 });
  });

  test("tool calls are shown raw for true", () => {
    expect(parse("orchestrator: {show_tool_calls: true}\n").config.orchestrator.showToolCalls).toBe(
      "raw",
    );
    expect(
      parse("orchestrator: {show_tool_calls: Friendly}\n").config.orchestrator.showToolCalls,
    ).toBe("friendly");
  });

  test("a plugin may be a command with arguments", () => {
    const { config } = parse(`plugins:
  a: {plugin: [node, ./plugins/a.js, --verbose]}
  b: {plugin: [./b, ~/x]}
  c: {plugin: ./c}
`);
    expect(config.plugins["a"]).toMatchObject({
      plugin: "node",
      arguments: ["/etc/opentalon/plugins/a.js", "--verbose"],
    });
    expect(config.plugins["b"]).toMatchObject({ plugin: "/etc/opentalon/b", arguments: ["~/x"] });
    expect(config.plugins["c"]).toMatchObject({ plugin: "/etc/opentalon/c", arguments: [] });
  });

  test("the older key path is taken where plugin is missing", () => {
    const { config, warnings } = parse(`plugins:
  old: {path: /opt/old}
  both: {path: /opt/old, plugin: /opt/new}
  empty: {plugin: , path: /opt/old}
channels:
  old: {path: "grpc://host:1"}
`);
    expect(config.plugins["old"]?.plugin).toBe("/opt/old");
    expect(config.plugins["both"]?.plugin).toBe("/opt/new");
    expect(config.plugins["empty"]?.plugin).toBe("/opt/old");
    expect(config.channels["old"]?.plugin).toBe("grpc://host:1");
    expect(warnings).toEqual([]);
  });

  test("a relative data directory starts at the configuration file", () => {
    expect(parse("state: {data_dir: kept}\nlog: {file: out.log}\n").config).toMatchObject({
      state: { dataDir: "/etc/opentalon/kept" },
      log: { file: "/etc/opentalon/out.log" },
    });
  });

  test("LOG_LEVEL wins over the file, unless it is no level", () => {
    expect(parse("log: {level: warn}\n", { LOG_LEVEL: "DEBUG" }).config.log.level).toBe("debug");
    expect(parse("log: {level: warning}\n", { LOG_LEVEL: "chatty" }).config.log.level).toBe("warn");
  });

  test("aliases and merge keys work", () => {
    const { config } = parse(`channels:
  a: &base {enabled: true, plugin: console, config: {x: 1}}
  b:
    <<: *base
    enabled: false
`);
    expect(config.channels["b"]).toMatchObject({
      enabled: false,
      plugin: "console",
      config: { x: 1 },
    });
  });

  test("numbers too long to be exact are handed on as texts", () => {
    const { config, warnings } = parse(
      "channels: {a: {config: {guild: 12345678901234567890, port: 80}}}\n",
    );
    expect(config.channels["a"]?.config).toEqual({ guild: "12345678901234567890", port: 80 });
    expect(warnings).toHaveLength(1);
  });
});

describe("variables", () => {
  test("of a switched-off part stay as they are written", () => {
    const { config } = parse(
      "channels: {a: {plugin: '${WHERE}/x', config: {token: '${TOKEN}', n: {deep: '${DEEP}'}}}}\n",
    );
    expect(config.channels["a"]?.config).toEqual({ token: "${TOKEN}", n: { deep: "${DEEP}" } });
  });

  test("of a config block are replaced at its top only, and are secret", () => {
    const { config } = parse(
      "plugins: {a: {enabled: true, plugin: ./a, config: {token: 'x-${TOKEN}', n: {deep: '${TOKEN}'}}}}\n",
      {
        TOKEN: "abc",
      },
    );
    const block = config.plugins["a"]?.config ?? {};
    expect(isSecret(block["token"])).toBe(true);
    expect(revealBlock(block)).toEqual({ token: "x-abc", n: { deep: "${TOKEN}" } });
  });

  test("are not replaced where the reference does not say so", () => {
    const { config } = parse(
      "plugins: {a: {enabled: true, github: '${REPO}'}}\nrouting: {pin: {code: '${REPO}'}}\n",
      { REPO: "x/y" },
    );
    expect(config.plugins["a"]?.github).toBe("${REPO}");
    expect(config.routing.pin["code"]).toBe("${REPO}");
  });

  test("of parts that have no effect yet need not be set", () => {
    expect(
      parse("redis: {redis_url: '${REDIS_URL}'}\ncluster: {enabled: true, dedup_ttl: '${TTL}'}\n")
        .config.cluster.dedupTtlMs,
    ).toBe(300_000);
  });

  test("what a plugin's environment names like a credential is secret, the rest is text", () => {
    const { config } = parse(
      "plugins: {a: {enabled: true, env: ['A=${X}', B=1=2, EMPTY=, 'API_TOKEN=${T}']}}\n",
      { X: "y", T: "very secret" },
    );
    const { API_TOKEN: token, ...rest } = config.plugins["a"]?.env ?? {};
    expect(rest).toEqual({ A: "y", B: "1=2", EMPTY: "" });
    expect(String(token)).toBe("[secret]");
  });
});

describe("providers without a key", () => {
  const providers = `models:
  providers:
    a: {base_url: "https://a", api_key: "\${A_KEY}", models: [small]}
    b: {base_url: "https://b", api_keys: ["\${B_KEY}", "\${B_KEY_2}"]}
    local: {base_url: "\${LOCAL_URL}"}
`;

  test("are left out without an error", () => {
    const { config, warnings } = parse(providers);
    expect(
      Object.entries(config.models.providers).map(([name, { unconfigured }]) => [
        name,
        unconfigured?.variable,
      ]),
    ).toEqual([
      ["a", "A_KEY"],
      ["b", "B_KEY"],
      ["local", "LOCAL_URL"],
    ]);
    expect(config.models.providers["a"]?.models[0]?.id).toBe("small");
    expect(warnings).toEqual([]);
  });

  test("one key of several is enough", () => {
    const { b } = parse(providers, { B_KEY_2: "second-key" }).config.models.providers;
    expect(b?.unconfigured).toBeUndefined();
    expect(b?.apiKeys.map((key) => key.reveal())).toEqual(["second-key"]);
  });

  test("an empty variable is no key", () => {
    expect(parse(providers, { A_KEY: "" }).config.models.providers["a"]?.unconfigured).toEqual({
      variable: "A_KEY",
    });
  });

  test("a service that asks for no key is configured", () => {
    const { local } = parse(providers, { LOCAL_URL: "http://localhost:11434/v1" }).config.models
      .providers;
    expect(local).toMatchObject({
      baseUrl: "http://localhost:11434/v1",
      apiKeys: [],
      unconfigured: undefined,
    });
  });

  test("are an error when routing.primary asks for one and another is configured", () => {
    const text = `${providers}routing: {primary: a/small}\n`;
    expect(() => parse(text, { B_KEY: "set" })).toThrow(
      "routing.primary names provider `a`, but its environment variable A_KEY is not set. Set it, or change routing.primary to one that is configured: b.",
    );
    expect(parse(text).config.routing.primary).toBe("a/small");
  });

  test("are skipped as fallbacks", () => {
    const { warnings } = parse(`${providers}routing: {fallbacks: [a/small, c/x]}\n`, {
      B_KEY: "set",
    });
    expect(warnings.map(({ level, key }) => [level, key])).toEqual([
      ["info", "routing.fallbacks[0]"],
      ["warn", "routing.fallbacks[1]"],
    ]);
  });

  test("a provider that does not exist is an error", () => {
    expect(() => parse(`${providers}routing: {primary: locl/x}\n`, { B_KEY: "set" })).toThrow(
      "Did you mean `local`?",
    );
  });
});

describe("names that every object has", () => {
  test("are names like any other, or harmless", () => {
    const { config, warnings } = parse(`plugins:
  constructor: {enabled: true, plugin: ./x}
  __proto__: {enabled: true, polluted: yes}
channels:
  a:
    config:
      __proto__: {polluted: yes}
      toString: x
      deep: {__proto__: {polluted: yes}, constructor: {prototype: {polluted: yes}}}
__proto__: {polluted: yes}
`);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(config.plugins["constructor"]).toMatchObject({ enabled: true });
    expect(config.plugins["toString"]).toBeUndefined();
    expect(Object.keys(config.plugins)).toEqual(["constructor"]);
    const block = revealBlock(config.channels["a"]?.config ?? {});
    expect(JSON.stringify(block)).toBe(
      '{"toString":"x","deep":{"constructor":{"prototype":{"polluted":"yes"}}}}',
    );
    expect(warnings.filter(({ key }) => key.endsWith("__proto__"))).toHaveLength(4);
  });
});

describe("files", () => {
  let directory = "";
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "opentalon-config-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  test("relative programs are found beside the file, otherwise in the working directory, and missed beside the file", async () => {
    const path = join(directory, "config.yaml");
    await writeFile(join(directory, "echo"), "");
    await writeFile(
      path,
      "plugins: {a: {plugin: ./echo}, b: {plugin: ./package.json}, c: {plugin: ./missing}}\n",
    );
    const loaded = await loadConfig({ path, environment: {} });
    expect(loaded.directory).toBe(directory);
    expect(loaded.config.plugins["a"]?.plugin).toBe(join(directory, "echo"));
    expect(loaded.config.plugins["b"]?.plugin).toBe(join(process.cwd(), "package.json"));
    expect(loaded.config.plugins["c"]?.plugin).toBe(join(directory, "missing"));
  });

  test("a file that is missing, a directory, too large or not text says so", async () => {
    const load = (path: string) => loadConfig({ path: join(directory, path), environment: {} });
    await expect(load("none.yaml")).rejects.toMatchObject({ code: "CONFIG_NOT_FOUND" });
    await expect(load(".")).rejects.toMatchObject({
      code: "CONFIG_UNREADABLE",
      message: expect.stringContaining("directory") as string,
    });
    await writeFile(join(directory, "large.yaml"), "#".repeat(1024 * 1024 + 1));
    await expect(load("large.yaml")).rejects.toThrow("larger than 1 MiB");
    await writeFile(join(directory, "binary.yaml"), Buffer.from([0xff, 0xfe, 0x00]));
    await expect(load("binary.yaml")).rejects.toThrow("not text in UTF-8");
  });

  test("a byte order mark is no part of the first key", async () => {
    await writeFile(join(directory, "mark.yaml"), "\uFEFFlog: {level: warn}\n");
    expect(
      (await loadConfig({ path: join(directory, "mark.yaml"), environment: {} })).config.log.level,
    ).toBe("warn");
  });
});

test("a budget's time zone has to be one", () => {
  expect(parse("budgets: {time_zone: Europe/Berlin}").config.budgets.timeZone).toBe(
    "Europe/Berlin",
  );
  expect(() => parse("budgets: {time_zone: Atlantis}")).toThrow(
    /budgets\.time_zone.*name of a time zone/s,
  );
});
