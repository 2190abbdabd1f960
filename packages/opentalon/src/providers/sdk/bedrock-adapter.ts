import { ConfigError } from "../../base/errors.ts";
import { toSdkBaseUrl } from "../base-url.ts";
import { readAwsCredential } from "../credentials/cloud-credentials.ts";
import type { ModelAdapter } from "../model-adapter.ts";
import type { CloudPlace } from "../provider-options.ts";
import { createSdkAdapter } from "./sdk-adapter.ts";
import type { SdkAdapterOptions } from "./sdk-adapter.ts";
import type { HeaderRecord } from "./sdk-fetch.ts";
import { signAwsRequest } from "./sign-aws-request.ts";

export interface BedrockAdapterOptions extends SdkAdapterOptions {
  readonly cloud?: CloudPlace | undefined;
}

/**
 * Speaks Amazon Bedrock's Converse, with an API key or with the keys of an account.
 * @throws ConfigError when nothing says in which region.
 */
export function createBedrockAdapter(options: BedrockAdapterOptions): ModelAdapter {
  const { clock } = options;
  const region = options.cloud?.region ?? "";
  if (options.baseUrl === undefined) checkRegion(region);
  const baseURL = toSdkBaseUrl(options.baseUrl ?? toBedrockUrl(region));
  const signedRegion = region === "" ? findRegion(baseURL) : region;
  return createSdkAdapter(
    {
      load: async () => {
        const { createAmazonBedrock } = await import("@ai-sdk/amazon-bedrock");
        return (id, fetch) => createAmazonBedrock({ baseURL, apiKey: "none", fetch })(id);
      },
      toKeyHeaders: (key): HeaderRecord =>
        readAwsCredential(key) === undefined ? { authorization: `Bearer ${key}` } : {},
      authorize: async ({ url, body, key }): Promise<HeaderRecord> => {
        const keys = readAwsCredential(key);
        if (keys === undefined) return {};
        const request = { url, body, keys, region: signedRegion, service: "bedrock" };
        return signAwsRequest({ ...request, nowMs: clock.now() });
      },
      framing: "length-prefixes",
      cacheMark: { amazonBedrock: { cachePoint: { type: "default" } } },
      takesCacheMark: ({ id }) => cachingModels.test(id),
      toCallOptions: ({ id }, { hasThoughts }) =>
        // A model that thinks has to be shown what it thought before its calls; where that is gone, it does not think.
        hasThoughts || !/anthropic/.test(id) ? {} : { reasoning: "provider-default" },
    },
    options,
  );
}

/** Bedrock refuses the mark for all others. */
const cachingModels =
  /anthropic\.claude-(3-7|3-5-haiku|(opus|sonnet|haiku)-)|amazon\.nova-(micro|lite|pro|premier)/;

function checkRegion(region: string): void {
  if (/^[a-z]{2,4}(-[a-z]+)+-\d+$/.test(region)) return;
  throw new ConfigError(
    "CONFIG_INVALID",
    "Amazon Bedrock needs a region, for example region: us-east-1.",
  );
}

function toBedrockUrl(region: string): string {
  const domain = region.startsWith("cn-")
    ? "amazonaws.com.cn"
    : region.startsWith("eusc-")
      ? "amazonaws.eu"
      : "amazonaws.com";
  return `https://bedrock-runtime.${region}.${domain}`;
}

function findRegion(baseUrl: string): string {
  return /\.([a-z0-9-]+)\.(vpce\.)?amazonaws\.com/.exec(baseUrl)?.[1] ?? "us-east-1";
}
