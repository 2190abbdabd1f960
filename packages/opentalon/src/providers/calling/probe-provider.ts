import type { Clock } from "../../base/clock.ts";
import { createDeadline } from "../../base/deadline.ts";
import type { Secret } from "../../base/secret.ts";
import { toAnthropicRoot } from "../sdk/anthropic-adapter.ts";
import { parseBaseUrl } from "../base-url.ts";
import { googleBaseUrl } from "../sdk/google-adapter.ts";
import { openAiBaseUrl } from "../chat-completions/openai-compatible-adapter.ts";
import type { ProviderApi, ProviderOptions } from "../provider-options.ts";

/**
 * Whether a provider can be reached: any answer below 500 says so, a refusal too, as many have nothing to show at the
 * path. Never rejects.
 */
export type Probe = (signal: AbortSignal) => Promise<boolean>;

export interface ProbeOptions {
  readonly provider: Pick<ProviderOptions, "api" | "baseUrl" | "credentials" | "plugin">;
  /** Below the base URL. */
  readonly path: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** A service whose requests have to be signed is taken for reachable: then only time has to pass. */
export function createProbe({ provider, path, timeoutMs, clock }: ProbeOptions): Probe {
  const { api, credentials, plugin } = provider;
  if (plugin !== undefined) return async () => plugin.isReady();
  if (!isPlain(api)) return async () => true;
  const url = toProbeUrl(api, provider.baseUrl, path);
  const headers = toProbeHeaders(api, credentials[0]);
  return async (signal) => {
    const toError = (): Error => new Error("the probe took too long");
    using deadline = createDeadline({ clock, timeoutMs, signal, toError });
    try {
      const status = await fetchStatus(url, headers, deadline.signal);
      return status < 500;
    } catch {
      return false;
    }
  };
}

/** Services that are asked with nothing but a key. */
type PlainApi = Exclude<ProviderApi, (typeof otherApis)[number]>;

const otherApis = ["demo", "plugin", "bedrock-converse", "google-vertex"] as const;

function isPlain(api: ProviderApi): api is PlainApi {
  return !otherApis.some((other) => other === api);
}

/** What is asked: `path` below the base URL, or below the usual one of the API. */
export function toProbeUrl(api: PlainApi, baseUrl: string | undefined, path: string): URL {
  const url = parseBaseUrl(toRoot(api, baseUrl));
  const [pathname = "", query] = path.split("?", 2);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${pathname.replace(/^\/+/, "")}`;
  if (query !== undefined) url.search = query;
  return url;
}

function toRoot(api: PlainApi, baseUrl: string | undefined): string {
  switch (api) {
    case "openai-completions":
    case "openai-responses":
      return baseUrl ?? openAiBaseUrl;
    case "anthropic-messages":
      return toAnthropicRoot(baseUrl);
    case "google-generative-ai":
      return baseUrl ?? googleBaseUrl;
  }
}

function toProbeHeaders(
  api: PlainApi,
  credential: Secret | undefined,
): Readonly<Record<string, string>> {
  const key = credential?.reveal();
  switch (api) {
    case "openai-completions":
    case "openai-responses":
      return key === undefined ? {} : { authorization: `Bearer ${key}` };
    case "anthropic-messages": {
      const version = { "anthropic-version": "2023-06-01" };
      return key === undefined ? version : { ...version, "x-api-key": key };
    }
    case "google-generative-ai":
      return key === undefined ? {} : { "x-goog-api-key": key };
  }
}

/** The status of a GET over a connection of its own; follows no redirect, so that a key stays with its server. */
async function fetchStatus(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  const { get } = await (url.protocol === "https:" ? import("node:https") : import("node:http"));
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, headers, signal });
    request.once("response", ({ statusCode = 0 }) => {
      resolve(statusCode);
      request.destroy();
    });
    request.on("error", reject);
  });
}
