import { toSdkBaseUrl } from "../base-url.ts";
import type { ModelAdapter } from "../model-adapter.ts";
import { createSdkAdapter } from "./sdk-adapter.ts";
import type { SdkAdapterOptions } from "./sdk-adapter.ts";

export const googleBaseUrl = "https://generativelanguage.googleapis.com/v1beta";

/** Speaks Google's Gemini API. */
export function createGoogleAdapter(options: SdkAdapterOptions): ModelAdapter {
  const baseURL = toSdkBaseUrl(options.baseUrl ?? googleBaseUrl);
  return createSdkAdapter(
    {
      load: async () => {
        const { createGoogle } = await import("@ai-sdk/google");
        return (id, fetch) => createGoogle({ baseURL, apiKey: "none", fetch })(id);
      },
      toKeyHeaders: (key) => ({ "x-goog-api-key": key }),
      takesAudio: true,
      toCallOptions: () => ({}),
    },
    options,
  );
}
