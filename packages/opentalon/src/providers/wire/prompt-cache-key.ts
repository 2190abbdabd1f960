import { createHash } from "node:crypto";
import { parseBaseUrl } from "../base-url.ts";

/**
 * Tells OpenAI which requests begin alike, so that they meet the same prompt cache: one key for each session, which says
 * nothing about it. `undefined` for other services, as some refuse what they do not know.
 */
export function toPromptCacheKey(baseUrl: string, sessionKey: string): string | undefined {
  const { hostname } = parseBaseUrl(baseUrl);
  if (hostname !== "api.openai.com" && !hostname.endsWith(".api.openai.com")) return undefined;
  return createHash("sha256").update(sessionKey).digest("hex").slice(0, 32);
}
