import { ConfigError, ProviderError } from "../../base/errors.ts";
import { toSdkBaseUrl } from "../base-url.ts";
import type { BedrockAdapterOptions } from "./bedrock-adapter.ts";
import { readServiceAccount } from "../credentials/cloud-credentials.ts";
import { createAccessTokens } from "./google-access-token.ts";
import type { ModelAdapter } from "../model-adapter.ts";
import type { CloudPlace } from "../provider-options.ts";
import { createSdkAdapter } from "./sdk-adapter.ts";
import type { HeaderRecord } from "./sdk-fetch.ts";

/** Where an API key alone is enough. */
const expressUrl = "https://aiplatform.googleapis.com/v1/publishers/google";

/**
 * Speaks Gemini on Vertex AI, with an API key or a service account.
 * @throws ConfigError when project or location cannot stand in an address.
 */
export function createVertexAdapter(options: BedrockAdapterOptions): ModelAdapter {
  const baseURL = toSdkBaseUrl(options.baseUrl ?? toVertexUrl(options.cloud));
  const accessTokens = createAccessTokens(options);
  const adapter = createSdkAdapter(
    {
      load: async () => {
        const { createGoogleVertex } = await import("@ai-sdk/google-vertex/edge");
        return (id, fetch) => createGoogleVertex({ baseURL, apiKey: "none", fetch })(id);
      },
      toKeyHeaders: (key): HeaderRecord =>
        readServiceAccount(key) === undefined ? { "x-goog-api-key": key } : {},
      authorize: async ({ key, context, signal }): Promise<HeaderRecord> => {
        const account = readServiceAccount(key);
        if (account === undefined) return {};
        const token = await accessTokens.take({ account, context, signal });
        return { authorization: `Bearer ${token}` };
      },
      takesAudio: true,
      toCallOptions: () => ({}),
    },
    options,
  );
  return {
    ...adapter,
    stream: async (call) => {
      try {
        return await adapter.stream(call);
      } catch (error) {
        const account = readServiceAccount(call.credential?.reveal() ?? "");
        if (account === undefined || !isRefusedToken(error)) throw error;
        accessTokens.forget(account);
        // It was the token that was refused: the account rests, as after a 403, and is not out for good.
        const { message, reason, model } = error;
        throw new ProviderError(message, { reason, model, status: 403 });
      }
    },
  };
}

function isRefusedToken(error: unknown): error is ProviderError {
  return error instanceof ProviderError && error.reason === "unauthorized" && error.status === 401;
}

function toVertexUrl(cloud: CloudPlace | undefined): string {
  const { project = "", location: written = "" } = cloud ?? {};
  if (project === "") return expressUrl;
  const location = written === "" ? "global" : written;
  if (!/^[a-z0-9-]+$/.test(location) || !/^[a-z0-9:.-]+$/.test(project)) {
    throw new ConfigError(
      "CONFIG_INVALID",
      "project and location of Vertex AI are identifiers such as my-project and europe-west4.",
    );
  }
  return `https://${toHost(location)}/v1/projects/${project}/locations/${location}/publishers/google`;
}

function toHost(location: string): string {
  if (location === "global") return "aiplatform.googleapis.com";
  if (location === "eu" || location === "us") return `aiplatform.${location}.rep.googleapis.com`;
  return `${location}-aiplatform.googleapis.com`;
}
