import { API } from "@discordjs/core/http-only";
import { REST } from "@discordjs/rest";
import type { Settings } from "./read-settings.ts";

export interface DiscordApi {
  readonly rest: REST;
  readonly api: API;
}

/** One answer, its body included. The host gives a delivery 30 seconds. */
const requestTimeoutMs = 14_000;
/** A file may need longer. */
const uploadTimeoutMs = 25_000;
/** Who has to wait longer than this for a limit hears of it and comes again. */
const longestWaitMs = 10_000;

/**
 * Discord's REST API as the bot. Limits are kept by the library: it reads them from the answers, waits for those that are
 * short, and refuses what would have to wait longer.
 */
export function createDiscordApi({ token, apiUrl }: Settings): DiscordApi {
  const rest = new REST({
    version: "10",
    api: apiUrl,
    timeout: uploadTimeoutMs,
    retries: 1,
    rejectOnRateLimit: ({ retryAfter, timeToReset }) =>
      Math.max(retryAfter, timeToReset) > longestWaitMs,
    makeRequest: async (url, init) => {
      const isUpload = init.body instanceof FormData;
      const limit = AbortSignal.timeout(isUpload ? uploadTimeoutMs : requestTimeoutMs);
      const signal =
        init.signal === undefined || init.signal === null
          ? limit
          : AbortSignal.any([init.signal, limit]);
      // The token must not be taken anywhere else.
      return fetch(url, { ...(init as RequestInit), signal, redirect: "error" });
    },
  }).setToken(token);
  return { rest, api: new API(rest) };
}
