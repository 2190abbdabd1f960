import { expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createProviders } from "./create-providers.ts";
import { defaultRetryOptions, type ProviderOptions } from "./provider-options.ts";

it.each([
  "http://user:topsecretpw@host:99999/v1",
  "ftp://user:topsecretpw@host/v1",
  "topsecretpw",
  "topsecretpw:8080",
])("names the provider and not the text when %s is no base URL", (baseUrl) => {
  const provider: ProviderOptions = {
    name: "acme",
    api: "openai-completions",
    baseUrl,
    credentials: [],
    retry: defaultRetryOptions,
    models: [],
  };
  let error: unknown;
  try {
    createProviders({ providers: [provider], clock: createManualClock() });
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: "CONFIG_INVALID" });
  const words = String(error);
  expect(words).toMatch(/provider acme: base_url .* http or https address/);
  expect(words).not.toMatch(/topsecretpw|user/);
});
