import { expect, test } from "vitest";
import { ConfigFileError } from "./problems.ts";
import { parseConfig } from "./load-config.ts";

function parse(text: string, environment: Record<string, string> = {}) {
  return parseConfig({ text, path: "config.yaml", environment });
}

function failWith(text: string, environment: Record<string, string> = {}): ConfigFileError {
  try {
    parse(text, environment);
  } catch (error) {
    if (error instanceof ConfigFileError) return error;
    throw error;
  }
  throw new Error("the text was accepted");
}

test("all problems of a file are told at once, each with line, key, expected and found", () => {
  const error = failWith(`models:
  providers:
    openai:
      api_key: sk-not-shown-at-all
      api: anthropic-mesages
      models:
        - id: gpt
          context_window: "128000"
          features: tools
agent:
  tool_timeout: 30
plugins:
  hello-world:
    enabled: yess
    env: [NAME]
channels:
  - console
state:
  session: {max_messages: -1}
log:
  level: wran
server:
  addr: 3978
`);
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.message).toBe(`config.yaml has 10 problems:

  line 5   models.providers.openai.api
           Expected one of openai-completions, openai-responses, anthropic-messages, google-generative-ai, google-vertex, bedrock-converse; found the text "anthropic-mesages". Did you mean \`anthropic-messages\`?
  line 8   models.providers.openai.models[0].context_window
           Expected a whole number, 0 or more; found the text "128000". Remove the quotes.
  line 9   models.providers.openai.models[0].features
           Expected a list of text values; found the text "tools".
  line 11  agent.tool_timeout
           Expected a duration such as 500ms, 30s, 5m or 1h30m; found the text "30". Did you mean \`30s\`?
  line 14  plugins.hello-world.enabled
           Expected true or false; found the text "yess".
  line 15  plugins.hello-world.env[0]
           Expected a text of the form NAME=value; found a text.
  line 16  channels
           Expected a map whose keys are names; found a list.
  line 19  state.session.max_messages
           Expected a whole number, 0 or more; found -1.
  line 21  log.level
           Expected one of auto, debug, info, warn, error; found the text "wran". Did you mean \`warn\`?
  line 23  server.addr
           Expected an address as host:port, for example 127.0.0.1:3978; found the text "3978".`);
  expect(error.problems[1]).toMatchObject({
    line: 8,
    key: "models.providers.openai.models[0].context_window",
    expected: "a whole number, 0 or more",
    found: 'the text "128000"',
  });
});

test("a file that is no map says so", () => {
  expect(failWith("- a\n- b\n").message).toBe(
    "config.yaml has a problem:\n\n  Expected a map; found a list.",
  );
});

test("an unset variable names itself and the part that needs it", () => {
  const error = failWith(`plugins:
  weather:
    enabled: true
    plugin: ./weather
    config:
      token: \${WEATHER_TOKEN}
state:
  db:
    driver: postgres
    dsn: \${DATABASE_URL}
`);
  expect(error.code).toBe("CONFIG_VARIABLE_UNSET");
  expect(error.message).toBe(`config.yaml has 2 problems:

  line 6   plugins.weather.config.token
           The environment variable WEATHER_TOKEN is not set, and plugin \`weather\` needs it. Set it, or switch the plugin off with \`enabled: false\`.
  line 10  state.db.dsn
           The environment variable DATABASE_URL is not set, and \`state\` needs it. Set it, or remove the key.`);
  expect(error.problems.map(({ variable }) => variable)).toEqual(["WEATHER_TOKEN", "DATABASE_URL"]);
});

test("a command that needs the state alone is not kept from it by the variables of others", () => {
  const text = `channels:
  my-slack:
    enabled: true
    plugin: slack
    config:
      bot_token: \${SLACK_BOT_TOKEN}
server:
  enabled: true
  addr: 0.0.0.0:3978
  token: \${DOOR_TOKEN}
state:
  db:
    driver: postgres
    dsn: \${DATABASE_URL}
`;
  const load = (environment: Record<string, string>) =>
    parseConfig({ text, path: "config.yaml", environment, needs: "state" });
  expect(() => load({})).toThrow(/has a problem:\n\n {2}line 14 {2}state\.db\.dsn\n/);
  const { config } = load({ DATABASE_URL: "postgres://db/talon" });
  expect(config.state.db.dsn?.reveal()).toBe("postgres://db/talon");
  expect(config.channels["my-slack"]?.enabled).toBe(true);
});

test("keys that do not exist are ignored with the key that was probably meant", () => {
  const { warnings } = parse(`modles: {}
providers: {}
models:
  providers:
    openai: {apikey: x, temperature: 1}
plugins:
  tools: {restart_on_failur: true}
  echo: {enabeld: true, interval: 5s}
  bare: {enabled: true}
orchestrator:
  prompt_overrides: {planer_preamble: ""}
`);
  expect(warnings.map(({ level, message }) => `${level} ${message}`)).toEqual([
    "warn config.yaml:1: modles: There is no such key here, so it is ignored. Did you mean `models`?",
    "warn config.yaml:2: providers: There is no such key here, so it is ignored. Did you mean `models.providers`?",
    "warn config.yaml:5: models.providers.openai.apikey: There is no such key here, so it is ignored. Did you mean `api_key`?",
    "warn config.yaml:5: models.providers.openai.temperature: There is no such key here, so it is ignored. Known here: base_url, api_key, api_keys, api, plugin, env, config, dial_timeout, models, retry, oauth, region, ….",
    "warn config.yaml:7: plugins.tools.restart_on_failur: There is no such key here, so it is ignored. Did you mean `restart_on_failure`?",
    "warn config.yaml:8: plugins.echo.enabeld: There is no such key here, so it is ignored. Did you mean `enabled`?",
    "warn config.yaml:8: plugins.echo.interval: There is no such key here, so it is ignored. Known here: enabled, plugin, github, ref, cache, insecure, bundle, config, db_access, dial_timeout, expose_http, http_port, ….",
    "warn config.yaml:9: plugins.bare: Switched on, but neither `plugin` nor `github` says what to run.",
    "warn config.yaml:11: orchestrator.prompt_overrides.planer_preamble: There is no such name. Did you mean `planner_preamble`?",
  ]);
});

test("keys without effect are told once, and louder where something should be protected", () => {
  const { warnings } = parse(`health: {addr: "127.0.0.1:1"}
cluster: {enabled: false}
redis: {}
scheduler:
  jobs: [{name: a, interval: 10m}, {name: b, interval: 10m}]
profiles:
  who_am_i: {url: https://example.org/me}
`);
  expect(warnings).toEqual([
    {
      level: "info",
      line: 1,
      key: "health",
      message: "config.yaml:1: health: Accepted, has no effect yet.",
    },
    {
      level: "info",
      line: 4,
      key: "scheduler",
      message: "config.yaml:4: scheduler: Accepted, has no effect yet.",
    },
    {
      level: "warn",
      line: 6,
      key: "profiles",
      message:
        "config.yaml:6: profiles: Accepted, has no effect yet. What it should protect is not protected.",
    },
  ]);
});

test("what was found never shows a credential", () => {
  const error = failWith(`models:
  providers:
    a: {api_key: [sk-planted-credential], api: "token=planted-credential"}
state:
  db: {dsn: {planted-credential: 1}}
server:
  addr: postgres://user:planted-credential@host
`);
  expect(error.message).not.toContain("planted-credential");
  expect(error.problems).toHaveLength(4);
});

test("a plugin cannot have the name of the settings for all plugins", () => {
  expect(failWith("plugins:\n  tools: {enabled: true, plugin: ./x}\n").message).toContain(
    "`tools` is reserved for settings of all entries. Give this one another name.",
  );
});

test("a door that other machines reach needs a credential", () => {
  const error = failWith("server: {enabled: true, addr: ':3978'}\n");
  expect(error.problems[0]).toMatchObject({ line: 1, key: "server.addr" });
  expect(
    parse("server: {enabled: true, addr: ':3978', token: s3cret-token}\n").config.server.addr,
  ).toBe(":3978");
  expect(parse("server: {enabled: true, addr: '[::1]:3978'}\n").config.server.enabled).toBe(true);
  expect(
    parse("server: {enabled: true, addr: '0.0.0.0:3978', allow_public: true}\n").config.server
      .allowPublic,
  ).toBe(true);
});

test("PostgreSQL without an address is a problem", () => {
  expect(failWith("state: {db: {driver: postgres}}\n").problems[0]).toMatchObject({
    line: 1,
    key: "state.db.dsn",
  });
});
