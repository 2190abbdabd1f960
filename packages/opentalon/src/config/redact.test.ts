import fc from "fast-check";
import { expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { isCredentialName } from "./credential-name.ts";
import { parseConfig } from "./load-config.ts";
import { redactText } from "./redact.ts";

function show(text: string, environment: Record<string, string> = {}, defaults = false): string {
  return parseConfig({
    text,
    path: "/etc/config.yaml",
    environment: { HOME: "/home/ada", ...environment },
  }).toRedactedYaml({ defaults });
}

test("what is shown is the configuration in effect, without its secrets", () => {
  const shown = show(
    `models:
  providers:
    openai: {base_url: "https://\${REGION}.example", api_key: literal-key, models: [gpt]}
channels:
  my-slack:
    enabled: true
    plugin: grpc://host:1
    config: {app_token: "\${TOKEN}", team: core, max_tokens: 100, servers: [{url: "https://u:p@h/x", headers: {X-Team: a}}]}
plugins:
  tool:
    enabled: true
    plugin: [./tool, --token, abc, --verbose, --api-key=xyz]
    env: [MODE=fast, API=1]
    config: {env: ["DEBUG=1", "SECRET_KEY=abc"], list: [{name: API_TOKEN, value: abc}], auth: {user: u}}
state: {data_dir: kept}
`,
    { REGION: "eu", TOKEN: "xoxb-1" },
  );
  expect(shown).toBe(`models:
  providers:
    openai:
      base_url: "[secret]"
      api_key: "[secret]"
      models:
        - id: gpt
channels:
  my-slack:
    enabled: true
    plugin: grpc://host:1
    config:
      app_token: "[secret]"
      team: core
      max_tokens: 100
      servers:
        - url: https://[secret]@h/x
          headers:
            X-Team: "[secret]"
plugins:
  tool:
    enabled: true
    plugin:
      - /etc/tool
      - --token
      - "[secret]"
      - --verbose
      - --api-key=[secret]
    env:
      - MODE=[secret]
      - API=[secret]
    config:
      env:
        - DEBUG=1
        - SECRET_KEY=[secret]
      list:
        - name: API_TOKEN
          value: "[secret]"
      auth: "[secret]"
state:
  data_dir: /etc/kept
`);
});

test("with defaults, every key is shown, and the text is YAML again", () => {
  const shown = parseYaml(show("channels: {a: {enabled: true}}\n", {}, true)) as Record<
    string,
    Record<string, unknown>
  >;
  expect(shown["agent"]).toEqual({
    max_rounds: 20,
    max_tools: 40,
    first_token_timeout: "60s",
    idle_timeout: "60s",
    tool_timeout: "30s",
  });
  expect(shown["channels"]).toMatchObject({ a: { enabled: true, cache: false } });
});

test("known secrets are hidden wherever they stand", () => {
  expect(
    show(
      "models: {providers: {a: {api_key: planted-1234}}}\norchestrator: {rules: ['say planted-1234 twice']}\n",
    ),
  ).not.toContain("planted-1234");
});

test.each([
  ["postgres://user:pa/ss@host/db", "postgres://[secret]@host/db"],
  ["https://host/x?page=1&access_token=abc", "https://host/x?page=1&access_token=[secret]"],
  ["Authorization: Bearer abc def", "Authorization: [secret]"],
  ["send Bearer abcdef now", "send Bearer [secret] now"],
  ['{"user": "u", "password": "x"}', '{"user": "u", "password": [secret]'],
  ["use sk-abcdefgh12345 please", "use [secret] please"],
  ["Never send personal data to plugins.", "Never send personal data to plugins."],
])("the text %s is shown as %s", (text, shown) => {
  expect(redactText(text)).toBe(shown);
});

test.each([
  "api_key",
  "apiKey",
  "API-KEY",
  "BOT_TOKEN",
  "clientSecret",
  "password",
  "DB_DSN",
  "Authorization",
  "set-cookie",
  "PRIVATE-TOKEN",
  "slack_webhook_url",
])("%s is the name of a credential", (name) => expect(isCredentialName(name)).toBe(true));

test.each(["name", "url", "keyboard", "monkey", "author", "passage", "tenant_id", "path"])(
  "%s is not the name of a credential",
  (name) => expect(isCredentialName(name)).toBe(false),
);

const word = fc.stringMatching(/^[a-z]{1,8}$/).filter((name) => !isCredentialName(name));
const credentialName = fc.constantFrom(
  "api_key",
  "token",
  "botToken",
  "client_secret",
  "password",
  "dsn",
  "Authorization",
  "cookie",
  "X-Api-Key",
);
// Short ones as well: the log learns only long texts, and must not be what hides them here.
const planted = fc
  .oneof(
    fc.stringMatching(/^[A-Za-z0-9+_.-]{6,8}$/),
    fc.stringMatching(/^[A-Za-z0-9+/_.-]{12,24}$/),
  )
  .map((text) => `pl4${text}`);

/** A nested block with `secret` under one credential-like name, somewhere. */
function blockWith(secret: string): fc.Arbitrary<unknown> {
  const leaf = credentialName.chain((name) =>
    fc.constantFrom<unknown>(
      { [name]: secret },
      { [name]: [secret] },
      { [name]: { inner: secret } },
      { env: [`${name.replaceAll("-", "_")}=${secret}`] },
      { arguments: [`--${name}`, secret] },
      { arguments: [`--${name}=${secret}`] },
      { headers: { "x-anything": secret } },
      { url: `https://user:${secret}@host/` },
      { url: `https://host/?${name}=${secret}` },
      { list: [{ name, value: secret }] },
    ),
  );
  const wrap = (inner: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    fc.oneof(
      fc
        .tuple(word, inner, word, fc.string())
        .map(([name, value, other, text]) => ({ [other]: text, [name]: value })),
      inner.map((value) => ({ items: ["x", value] })),
    );
  return fc
    .nat(3)
    .chain((depth) => Array.from({ length: depth }).reduce<fc.Arbitrary<unknown>>(wrap, leaf));
}

test("a planted secret is never shown", () => {
  const places = planted.chain((secret) =>
    fc.tuple(
      fc.constant(secret),
      blockWith(secret),
      fc.boolean(),
      fc.constantFrom("plugins", "channels"),
    ),
  );
  fc.assert(
    fc.property(places, ([secret, block, enabled, part]) => {
      const text = JSON.stringify({ [part]: { it: { enabled, plugin: "./x", config: block } } });
      expect(show(text)).not.toContain(secret);
      expect(show(text, {}, true)).not.toContain(secret);
    }),
    { numRuns: 200 },
  );
});

test("a planted variable is never shown, whichever key it is used in", () => {
  const keys = fc.constantFrom(
    (value: string) => ({ models: { providers: { a: { base_url: value } } } }),
    (value: string) => ({ models: { providers: { a: { api_key: value, api_keys: [value] } } } }),
    (value: string) => ({
      channels: { a: { enabled: true, plugin: value, github: value, config: { note: value } } },
    }),
    (value: string) => ({
      plugins: { a: { enabled: true, plugin: [value, value], env: [`NOTE=${value}`] } },
    }),
    (value: string) => ({ state: { data_dir: value, db: { driver: "postgres", dsn: value } } }),
    (value: string) => ({ redis: { redis_url: value, sentinels: [value] } }),
    (value: string) => ({ event_webhook: { url: value, headers: { note: value } } }),
    (value: string) => ({ profiles: { who_am_i: { extra_headers: { note: value } } } }),
    (value: string) => ({
      request_packages: { inline: [{ packages: [{ url: value, headers: { note: value } }] }] },
    }),
    (value: string) => ({ bootstrap: { url: value, token: value, token_header: value } }),
    (value: string) => ({ server: { token: value } }),
  );
  fc.assert(
    fc.property(planted, fc.string({ maxLength: 5 }), keys, (secret, before, build) => {
      const prefix = before.replaceAll("$", "");
      const text = JSON.stringify(build(`${prefix}\${PLANTED}`));
      expect(show(text, { PLANTED: secret }, true)).not.toContain(secret);
    }),
    { numRuns: 200 },
  );
});
