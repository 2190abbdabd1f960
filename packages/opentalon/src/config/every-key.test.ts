import { expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { configKey } from "./config-schema.ts";
import type { Key } from "./key.ts";
import { parseConfig } from "./load-config.ts";

// A file as people wrote it for the Go program, with every key that program knew or documented, and ours.
const text = `
models:
  providers:
    deepseek:
      base_url: \${BASE_URL}
      api_key: \${DEEPSEEK_API_KEY}
      api_keys: [second-credential]
      api: openai-completions
      models:
        - id: deepseek-chat
          name: DeepSeek
          reasoning: true
          reasoning_effort: medium
          features: [tools, reasoning]
          input: [text]
          context_window: 65536
          max_tokens: 8192
          cost: {input: 0.27, output: 1.1, cached_input: 0.07, cache_write: 0.3}
      region: eu-central-1
      access_key_id: AKIDEXAMPLE
      secret_access_key: secret-access-key
      session_token: session-token
      project: my-project
      location: europe-west4
      credentials_file: /etc/opentalon/vertex.json
      oauth:
        issuer: https://login.example.com
        authorization_url: https://login.example.com/authorize
        token_url: https://login.example.com/token
        device_url: https://login.example.com/device
        client_id: opentalon
        client_secret: secret-of-the-client
        scopes: [models]
        flow: browser
        parameters: {audience: models}
      retry: {max_attempts: 2, base_delay: 500ms, max_delay: 10s, max_total_wait: 1m}
    own:
      api_key: own-credential
      plugin: [./own-provider, --quiet]
      env: [REGION=eu]
      config: {room: 4}
      dial_timeout: 10s
  catalog:
    deepseek/deepseek-chat: {alias: cheap, weight: 90}
routing:
  primary: deepseek/deepseek-chat
  fallbacks: [deepseek/deepseek-reasoner]
  pin: {code: deepseek/deepseek-reasoner}
  affinity: {enabled: true, store: affinity.json, decay_days: 10}
  health: {path: /health, interval: 5s, timeout: 1s, recover_after: 2}
auth:
  cooldowns: {initial: 2m, max: 2h, multiplier: 3, billing_max_hours: 12}
  order: {deepseek: [2, 1]}
budgets:
  session: {money: 2.00, tokens: 500000}
  person: {money: 5.00, tokens: 1000000, period: month}
  total: {money: 50, tokens: 10000000, period: month}
  warn_at: 90
  time_zone: Europe/Berlin
orchestrator:
  rules: [Be kind.]
  prompt_overrides: {orchestrator_preamble: Hello., format_slack: ""}
  content_preparers:
    - {plugin: hello-world, action: prepare, arg_key: message, guard: true, fail_open: true, stt: true}
  response_formatters:
    - {plugin: "lua:shout", action: format, fail_open: false}
  permission_plugin: gate
  tripwire: off
  max_concurrent_sessions: 4
  debounce_window: 800ms
  pipeline:
    enabled: true
    max_step_retries: 1
    step_timeout: 30s
    plan_timeout: 5s
    confirmation_plugin: confirm
    confirmation_action: ask
    confirmation_classifier_enabled: true
  knowledge:
    sync_plugin: weaviate
    sync_action: sync
    plugin: weaviate
    action: ingest
    dir: ~/knowledge
    refresh_interval: 1h
  subprocess: {enabled: true, max_depth: 1, max_iterations: 3, default_timeout: 20s, max_parallel: 2}
  escalation: {enabled: true}
  notify: {enabled: true}
  show_tool_calls: friendly
  preparer:
    tool_error_handling: {loop_cap_per_turn: 3, sticky_demotion_threshold: 2}
  repair: {enabled: true, model: small, prompt: Repair it., max_attempts: 1, timeout: 5s}
agent: {max_rounds: 5, first_token_timeout: 10s, idle_timeout: 20s, tool_timeout: 40s, max_tools: 12}
channels:
  slack:
    enabled: true
    plugin: ./channels/slack/channel.yaml
    github: opentalon/slack-channel
    ref: v1
    cache: true
    config: {bot_token: "\${SLACK_BOT_TOKEN}"}
    access: {policy: allowlist, allow: [U1, "slack:U2"], approvers: ["slack:U3"]}
    rate_limit: {messages: 30, per: 2m}
    sessions: sender
    env: [MODE=fast]
    limits: {memory_mb: 128, cpu_seconds: 30, processes: 4, open_files: 32, disk_mb: 50}
    sandbox: strict
    network: false
    token: channel-token
    tls: {ca: ./ca.pem, cert: ./cert.pem, key: ./key.pem, server_name: channel.internal}
    content_preparers:
      - {plugin: ears, action: hear, arg_key: text, guard: false, fail_open: true, stt: true}
plugins:
  weaviate:
    enabled: true
    plugin: ./plugins/weaviate
    github: opentalon/weaviate-plugin
    ref: main
    cache: true
    insecure: false
    bundle: [{name: a, github: opentalon/a, ref: main, store: true}]
    config: {host: localhost}
    db_access: true
    dial_timeout: 20s
    expose_http: true
    http_port: 9001
    grpc_port: 9002
    env: [MODE=fast]
    limits: {memory_mb: 256, cpu_seconds: 60, processes: 8, open_files: 64, disk_mb: 100}
    sandbox: strict
    network: true
    token: plugin-token
    tls: {ca: ./ca.pem, cert: ./cert.pem, key: ./key.pem, server_name: plugin.internal}
    timeout: 2m
  tools:
    plugin_dir: ./plugins
    health_check_interval: 10s
    restart_on_failure: false
    max_restarts: 3
    refresh_interval: 1m
    build_timeout: 2m
    limits: {memory_mb: 512, cpu_seconds: 600, processes: 16, open_files: 128, disk_mb: 200}
    defaults: {timeout: 10s, max_response_bytes: 1024}
    overrides: {weaviate: {timeout: 1m}}
  lua:
    scripts_dir: ./scripts
    watch: false
    default_model: small
    limits: {memory_mb: 32, timeout_seconds: 2, llm_timeout_seconds: 5, llm_max_calls: 1}
    environment: [TEAM]
    scripts: {words: {insecure: false}}
lua:
  scripts_dir: ./scripts
  watch: false
  default_model: big
  limits: {memory_mb: 48, timeout_seconds: 3, llm_timeout_seconds: 6, llm_max_calls: 2}
  environment: [REGION]
  scripts: {other: {insecure: false}}
  plugins: [words, {name: other, github: me/scripts, ref: main}]
  default_github: opentalon/scripts
  default_ref: main
request_packages:
  path: ./requests
  skills_path: ./skills
  skills: [jira-create-issue, {name: mine, github: me/skills, ref: v1}]
  default_skill_github: openclaw/skills
  default_skill_ref: main
  inline:
    - plugin: jira
      description: Issues
      packages:
        - action: create
          description: Creates an issue
          method: POST
          url: \${BASE_URL}/issue
          body: '{"title": "{{args.title}}"}'
          headers: {Content-Type: application/json}
          required_env: [JIRA_TOKEN]
          parameters: [{name: title, description: Its title, required: true}]
      mcp: {server: jira, url: https://mcp.example, headers: {X-A: b}, context_headers: {X-User: entity_id}}
      groups: [staff]
scheduler:
  jobs:
    - name: status
      interval: 10m
      cron: "0 9 * * *"
      at: "2030-01-01T00:00:00Z"
      action: github.check_status
      args: {org: opentalon, count: 5}
      notify_channel: slack
      notify_conversation_id: C1
      enabled: false
  approvers: [ops@company.com]
  max_jobs_per_user: 5
state:
  data_dir: /var/lib/opentalon
  db:
    driver: postgres
    dsn: \${DATABASE_URL}
    max_open_conns: 10
    max_idle_conns: 5
    conn_max_lifetime: 1m
    conn_max_idle_time: 2m
  session:
    max_messages: 100
    context_messages: 50
    max_idle_days: 30
    summarize_after_messages: 40
    max_messages_after_summary: 6
    summarize_prompt: Summarize.
    summarize_update_prompt: Update.
    session_title_prompt: Title.
  debug: {retention_days: 7, retention_disabled: true, always_capture: true}
  session_events: {retention_days: 8, retention_disabled: true}
log: {level: debug, file: opentalon.log}
server: {enabled: true, addr: "0.0.0.0:8080", token: "\${SERVER_TOKEN}", allow_public: true}
webhook: {port: 4000}
metrics: {enabled: true, addr: ":2112"}
health: {addr: ":8086"}
event_webhook:
  url: https://example.org/events
  event_types: [turn_start]
  headers: {Authorization: "Bearer \${SERVER_TOKEN}"}
  timeout_ms: 100
  buffer_size: 10
  max_retries: 1
profiles:
  who_am_i:
    url: https://example.org/me
    method: GET
    token_header: X-Token
    token_prefix: "T "
    timeout: 1s
    cache_ttl: 10s
    entity_id_field: id
    group_field: g
    plugins_field: p
    model_field: m
    channel_type_field: c
    limit_field: l
    limit_time_field: t
    credentials_field: k
    name_field: n
    channel_type_header: X-Channel
    extra_headers: {X-Key: $SERVER_TOKEN}
    metadata_headers: {tenant: X-Tenant}
  groups: {staff: {plugins: [weaviate]}}
bootstrap:
  url: https://example.org/boot
  token: \${SERVER_TOKEN}
  token_header: X-Token
  token_prefix: "T "
  timeout: 5s
  retries: 1
  required: true
redis:
  redis_url: \${REDIS_URL}
  master_name: main
  sentinels: ["s1:26379"]
  password: \${REDIS_PASSWORD}
  sentinel_password: sentinel-password
cluster: {enabled: true, dedup_ttl: 1m}
plugin_exec: {enabled: true, action_timeout: 5s}
`;

const environment = {
  HOME: "/home/ada",
  BASE_URL: "https://api.deepseek.com/v1",
  DEEPSEEK_API_KEY: "first-credential",
  SLACK_BOT_TOKEN: "xoxb-slack",
  DATABASE_URL: "postgres://host/db",
  SERVER_TOKEN: "server-token",
};

/** Keys of the schema the file does not have, by their place in it. */
function findMissing({ shape }: Key, value: unknown, path: string): string[] {
  if (value === undefined) return [path];
  if (shape.kind === "section" && typeof value === "object") {
    const tree = value as Record<string, unknown>;
    const keys = Object.entries(shape.keys).filter(([, key]) => !key.hidden);
    return keys.flatMap(([name, key]) => findMissing(key, tree[name], `${path}.${name}`));
  }
  if (shape.kind === "list" && Array.isArray(value))
    return findMissing(shape.item, value.at(-1), `${path}[]`);
  if (shape.kind === "named") {
    const entries = Object.entries(value as Record<string, unknown>);
    const settings = entries.flatMap(([name, inner]) => {
      const key = shape.reserved[name];
      return key === undefined ? [] : findMissing(key, inner, `${path}.${name}`);
    });
    // Some keys exclude each other, so it is enough when one entry has a key.
    const [first = [], ...others] = entries
      .filter(([name]) => shape.reserved[name] === undefined)
      .map(([, inner]) => findMissing(shape.value, inner, `${path}.*`));
    return [...settings, ...first.filter((key) => others.every((other) => other.includes(key)))];
  }
  return [];
}

test("the file below has every key there is", () => {
  expect(findMissing(configKey, parseYaml(text), "")).toEqual([]);
});

test("every key loads, and none is unknown", () => {
  const { config, warnings } = parseConfig({
    text,
    path: "/etc/opentalon/config.yaml",
    environment,
  });
  expect(
    warnings
      .filter(({ message }) => !message.includes("Accepted, has no effect yet"))
      .map(({ key }) => key),
  ).toEqual([]);

  expect(config.models.providers["deepseek"]).toMatchObject({
    baseUrl: "https://api.deepseek.com/v1",
    api: "openai-completions",
    models: [
      {
        id: "deepseek-chat",
        reasoningEffort: "medium",
        contextWindow: 65_536,
        maxTokens: 8_192,
        cost: { input: 0.27, output: 1.1, cachedInput: 0.07, cacheWrite: 0.3 },
      },
    ],
    retry: { maxAttempts: 2, baseDelayMs: 500, maxDelayMs: 10_000, maxTotalWaitMs: 60_000 },
  });
  expect(config.models.providers["deepseek"]?.apiKeys.map((key) => key.reveal())).toEqual([
    "first-credential",
    "second-credential",
  ]);
  expect(config.models.catalog["deepseek/deepseek-chat"]).toEqual({ alias: "cheap", weight: 90 });
  expect(config.auth.cooldowns).toEqual({
    initialMs: 120_000,
    maxMs: 7_200_000,
    multiplier: 3,
    billingMaxHours: 12,
  });
  expect(config.auth.order).toEqual({ deepseek: [2, 1] });
  expect(config.orchestrator).toMatchObject({
    maxConcurrentSessions: 4,
    debounceWindowMs: 800,
    showToolCalls: "friendly",
  });
  expect(config.orchestrator.tripwire).toBe("off");
  expect(config.channels["slack"]?.contentPreparers).toEqual([
    { plugin: "ears", action: "hear", argKey: "text", guard: false, failOpen: true, stt: true },
  ]);
  expect(config.channels["slack"]).toMatchObject({
    access: { policy: "allowlist", allow: ["U1", "slack:U2"], approvers: ["slack:U3"] },
    rateLimit: { messages: 30, perMs: 120_000 },
    sessions: "sender",
    limits: { memoryMb: 128, cpuSeconds: 30, processes: 4, openFiles: 32, diskMb: 50 },
    sandbox: "strict",
    network: false,
    tls: { serverName: "channel.internal" },
  });
  expect(config.orchestrator.debounceWindowMs).toBe(800);
  expect(config.orchestrator.knowledge.dir).toBe("/home/ada/knowledge");
  expect(config.plugins["weaviate"]).toMatchObject({
    insecure: false,
    dialTimeoutMs: 20_000,
    timeoutMs: 120_000,
    limits: { memoryMb: 256, cpuSeconds: 60, processes: 8, openFiles: 64, diskMb: 100 },
  });
  expect(Object.keys(config.plugins)).toEqual(["weaviate"]);
  expect(config.pluginSettings.tools).toMatchObject({
    maxRestarts: 3,
    overrides: { weaviate: { timeoutMs: 60_000 } },
  });
  expect(config.pluginSettings.lua.limits.memoryMb).toBe(32);
  expect(config.lua.plugins).toEqual([
    { name: "words", github: "", ref: "" },
    { name: "other", github: "me/scripts", ref: "main" },
  ]);
  expect(config.scheduler.jobs[0]).toMatchObject({
    intervalMs: 600_000,
    action: "github.check_status",
    args: { count: "5" },
  });
  expect(config.state.db).toMatchObject({ driver: "postgres", connMaxLifetimeMs: 60_000 });
  expect(config.state.db.dsn?.reveal()).toBe("postgres://host/db");
  expect(config.profiles.whoAmI.extraHeaders["X-Key"]?.reveal()).toBe("server-token");
  expect(config.eventWebhook.headers["Authorization"]?.reveal()).toBe("Bearer server-token");
  expect(config.bootstrap.tokenPrefix).toBe("T ");
});

test("printing or serialising a loaded configuration shows no credential", () => {
  const { config } = parseConfig({ text, path: "/etc/opentalon/config.yaml", environment });
  const printed = JSON.stringify(config);
  for (const credential of [
    "first-credential",
    "second-credential",
    "xoxb-slack",
    "postgres://host/db",
    "server-token",
    "plugin-token",
    "channel-token",
    "sentinel-password",
  ]) {
    expect(printed).not.toContain(credential);
  }
});
