import { expect, test } from "vitest";
import { parseConfig } from "./load-config.ts";

// Files as the first releases of the Go program documented them.

function load(text: string, environment: Record<string, string> = {}) {
  return parseConfig({
    text,
    path: "/etc/opentalon/config.yaml",
    environment: { HOME: "/home/ada", ...environment },
  });
}

test("rules of several lines", () => {
  const { config } = load(`orchestrator:
  rules:
    - "Keep personal data away from plugins"
    - |
      For customer data:
      1. Do not log identifiers
      2. Mask addresses
`);
  expect(config.orchestrator.rules).toEqual([
    "Keep personal data away from plugins",
    "For customer data:\n1. Do not log identifiers\n2. Mask addresses\n",
  ]);
});

test("channels of all five kinds side by side", () => {
  const { config, warnings } = load(
    `channels:
  a-slack:
    enabled: true
    plugin: "./plugins/my-slack"
    config: {app_token: "\${APP}", bot_token: "\${BOT}"}
  a-telegram:
    enabled: true
    plugin: "grpc://bot.internal:9001"
    config: {bot_token: "\${BOT}"}
  a-teams:
    enabled: true
    plugin: "docker://ghcr.io/example/teams:latest"
    config: {tenant_id: "\${APP}"}
  a-whatsapp:
    enabled: true
    plugin: "https://functions.example/wa"
    config: {verify_token: "\${BOT}"}
  a-bridge:
    enabled: true
    plugin: "wss://bridge.example/channel"
    config: {api_key: "\${APP}"}
`,
    { APP: "app", BOT: "bot" },
  );
  expect(warnings).toEqual([]);
  expect(Object.values(config.channels).map(({ plugin }) => plugin)).toEqual([
    "/etc/opentalon/plugins/my-slack",
    "grpc://bot.internal:9001",
    "docker://ghcr.io/example/teams:latest",
    "https://functions.example/wa",
    "wss://bridge.example/channel",
  ]);
});

test("scheduled jobs with dotted actions", () => {
  const { config, warnings } = load(`scheduler:
  approvers: ["ops@example.com"]
  max_jobs_per_user: 5
  jobs:
    - name: status
      interval: 10m
      action: github.check_status
      args: {org: "example"}
      notify_channel: slack-ops
    - {name: digest, interval: 24h, action: github.summary, notify_channel: slack-engineering}
`);
  expect(config.scheduler.jobs.map(({ action, intervalMs }) => [action, intervalMs])).toEqual([
    ["github.check_status", 600_000],
    ["github.summary", 86_400_000],
  ]);
  expect(warnings.filter(({ level }) => level === "warn")).toEqual([]);
});

test("plugins and channels from repositories, without a ref", () => {
  const { config, warnings } = load(`orchestrator:
  rules: []
  content_preparers:
    - {plugin: hello-world, action: prepare, arg_key: text}
channels:
  console: {enabled: true, github: "opentalon/console-channel", config: {}}
plugins:
  hello-world: {enabled: true, github: "opentalon/hello-world-plugin", config: {}}
state:
  data_dir: ~/.opentalon
`);
  expect(warnings).toEqual([]);
  expect(config.plugins["hello-world"]).toMatchObject({
    github: "opentalon/hello-world-plugin",
    ref: "",
    plugin: "",
  });
  expect(config.state.dataDir).toBe("/home/ada/.opentalon");
});

test("skills by name and from their own repository", () => {
  const { config } = load(`request_packages:
  default_skill_github: openclaw/skills
  default_skill_ref: main
  skills:
    - jira-create-issue
    - name: my-skill
      github: me/skills
      ref: v1
`);
  expect(config.requestPackages.skills).toEqual([
    { name: "jira-create-issue", github: "", ref: "" },
    { name: "my-skill", github: "me/skills", ref: "v1" },
  ]);
});
