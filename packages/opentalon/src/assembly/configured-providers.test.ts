import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConfigError } from "../base/errors.ts";
import { redactSecrets } from "../base/secret.ts";
import { parseConfig } from "../config/load-config.ts";
import { readAwsCredential } from "../providers/credentials/cloud-credentials.ts";
import { knownProviders } from "../providers/catalog/known-providers.ts";
import { catalogData } from "../providers/catalog/model-catalog-data.ts";
import type { ProviderOptions } from "../providers/provider-options.ts";
import { toProviderOptions } from "./configured-providers.ts";

const { openai, anthropic } = catalogData;
const gpt = openai["gpt-4.1-mini"];

function read(
  name: string,
  provider: Readonly<Record<string, unknown>>,
  rest: Readonly<Record<string, unknown>> = {},
): ProviderOptions {
  const text = JSON.stringify({ ...rest, models: { providers: { [name]: provider } } });
  const { config } = parseConfig({ text, path: "config.yaml", environment: {} });
  const configured = config.models.providers[name];
  if (configured === undefined) throw new Error("the provider is there");
  return toProviderOptions(name, configured, config);
}

const api_key = "sk-configured-0123456789";

describe("a provider that nobody knows by name", () => {
  it("gets no key to OpenAI by a slip of the pen", () => {
    expect(() => read("opneai", { api_key })).toThrow(/has no base_url.*did you mean openai\?$/);
    expect(() => read("company", { api_key })).toThrow(/has no base_url.*for OpenAI itself\.$/);
  });

  it("speaks to the usual address of a language that is named", () => {
    expect(read("company", { api_key, api: "openai-completions" }).baseUrl).toBeUndefined();
  });
});

describe("a provider with a well-known name", () => {
  it.each(Object.entries(knownProviders).filter(([, known]) => known.ownAddress === undefined))(
    "needs nothing but a key: %s",
    (name, { api, baseUrl, usualModel = "default" }) => {
      const region = name === "bedrock" ? { region: "us-east-1" } : {};
      const options = read(name, { api_key, ...region });
      expect(options).toMatchObject({ name, api, models: [{ name: `${name}/${usualModel}` }] });
      expect(options.baseUrl).toBe(baseUrl);
    },
  );

  it.each(["ollama", "vllm", "lmstudio"])("needs no key when it is on this machine: %s", (name) => {
    const { credentials, baseUrl } = read(name, { models: ["small"] });
    expect(credentials).toEqual([]);
    expect(baseUrl).toMatch(/^http:\/\/127\.0\.0\.1:/);
  });

  it("keeps an address of its own, and then speaks chat completions unless it says otherwise", () => {
    const base_url = "https://proxy.example/v1";
    expect(read("anthropic", { api_key, base_url })).toMatchObject({
      api: "openai-completions",
      baseUrl: base_url,
      models: [{ id: "default" }],
    });
    const api = "anthropic-messages";
    expect(read("anthropic", { api_key, base_url, api })).toMatchObject({ api, baseUrl: base_url });
  });

  it("may speak the other language of the same service", () => {
    const api = "openai-responses";
    const baseUrl = "https://api.openai.com/v1";
    expect(read("openai", { api_key, api })).toMatchObject({ api, baseUrl });
  });

  it("never takes its key to the address of another service", () => {
    const mixed = (): unknown => read("anthropic", { api_key, api: "openai-completions" });
    expect(mixed).toThrow(ConfigError);
    expect(mixed).toThrow(/models\.providers\.anthropic .*base_url/);
  });

  it("is told what is missing where everybody has another address", () => {
    const azure = (): unknown => read("azure", { api_key, models: ["gpt-4.1-mini"] });
    expect(azure).toThrow(/models\.providers\.azure has no base_url; set it to https:\/\/<your/);
    const base_url = "https://mine.openai.azure.com/openai/v1";
    const { models } = read("azure", { api_key, base_url, models: ["gpt-4.1-mini", "free-name"] });
    expect(models).toMatchObject([{ cost: gpt?.cost }, { cost: { input: 0, output: 0 } }]);
  });
});

describe("a model", () => {
  it("has what the catalogue knows, dated or not", () => {
    const [dated, claude] = [
      read("openai", { api_key, models: ["gpt-4.1-mini-2025-04-14"] }).models[0],
      read("anthropic", { api_key, models: ["claude-haiku-4-5"] }).models[0],
    ];
    expect(dated).toMatchObject({
      contextWindow: 1_047_576,
      maxTokens: 0,
      input: ["text", "image", "pdf"],
      cost: { input: 0.4, output: 1.6, cachedInput: 0.1 },
      nativeTools: true,
    });
    // Anthropic demands a limit.
    expect(claude).toMatchObject({ maxTokens: 16_384, cost: anthropic["claude-haiku-4-5"]?.cost });
  });

  it("has what the configuration says first, a price of 0 included", () => {
    const id = "gpt-4.1-mini";
    const of = (change: object): unknown =>
      read("openai", { api_key, models: [{ id, ...change }] }).models[0];
    expect(of({ cost: { output: 2 } })).toMatchObject({
      cost: { input: 0.4, output: 2, cachedInput: 0.1 },
    });
    expect(of({ cost: { input: 0, output: 0 } })).toMatchObject({
      cost: { input: 0, output: 0, cachedInput: undefined, cacheWrite: undefined },
    });
    expect(of({ cost: { cached_input: 0, cache_write: 1 } })).toMatchObject({
      cost: { input: 0.4, cachedInput: 0, cacheWrite: 1 },
    });
    expect(of({ context_window: 0, max_tokens: 9, input: ["audio"] })).toMatchObject({
      contextWindow: 0,
      maxTokens: 9,
      input: ["text", "audio"],
    });
    expect(of({ features: ["vision"] })).toMatchObject({ nativeTools: false });
  });

  it("that only routing names is known as well", () => {
    const { models } = read("openai", { api_key }, { routing: { primary: "openai/gpt-4.1-mini" } });
    expect(models).toMatchObject([{ id: "gpt-4.1-mini", cost: gpt?.cost }]);
  });

  it("that nobody knows costs nothing, and takes text", () => {
    const provider = { api_key, base_url: "http://127.0.0.1:1/v1", models: ["gpt-4.1-mini"] };
    expect(read("mine", provider).models).toMatchObject([
      { contextWindow: 0, maxTokens: 0, input: ["text"], cost: { input: 0, output: 0 } },
    ]);
  });
});

describe("the credential of a cloud", () => {
  it("is made of the keys of an account", () => {
    const keys = { access_key_id: "AKIDEXAMPLE", secret_access_key: "secret-access-key" };
    const { credentials, cloud } = read("bedrock", { region: "eu-central-1", ...keys });
    expect(cloud?.region).toBe("eu-central-1");
    expect(credentials.map((credential) => readAwsCredential(credential.reveal()))).toEqual([
      { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret-access-key", sessionToken: "" },
    ]);
  });

  it("is the file of a service account, whose project is used", async () => {
    const folder = await mkdtemp(join(tmpdir(), "opentalon-vertex-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, "account.json");
    const account = { client_email: "bot@example", private_key: "-----BEGIN\nsecret\nline-----" };
    await writeFile(path, JSON.stringify({ ...account, project_id: "my-project" }));
    const { cloud, credentials } = read("vertex", { credentials_file: path });
    expect(cloud?.project).toBe("my-project");
    expect(credentials).toHaveLength(1);
    expect(redactSecrets(`it was ${account.private_key}`)).toBe("it was [secret]");
    await writeFile(path, JSON.stringify(account));
    expect(() => read("vertex", { credentials_file: path })).toThrow(/has no project/);
    await writeFile(path, "[]");
    expect(() => read("vertex", { credentials_file: path })).toThrow(
      /client_email and private_key/,
    );
    expect(() => read("vertex", { credentials_file: join(folder, "none") })).toThrow(
      /models\.providers\.vertex cannot read its credentials_file/,
    );
  });

  it("or its place is missed by name", () => {
    expect(() => read("bedrock", { region: "us-east-1" })).toThrow(/access_key_id/);
    expect(() => read("bedrock", { api_key })).toThrow(/region/);
    expect(() => read("vertex", {})).toThrow(/credentials_file/);
  });
});
