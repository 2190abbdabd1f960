import { DiscordAPIError, HTTPError, RateLimitError } from "@discordjs/rest";

/** What a failed request to Discord means. */
export interface Problem {
  readonly kind:
    /** Discord has said no; asking again gives the same answer. */
    | "refused"
    /** Discord takes nothing from this bot any more. */
    | "unauthorized"
    /** It passes by itself: the network, Discord's own trouble, a limit. */
    | "passing";
  /** Code of Discord's error, 0 when there is none. */
  readonly code: number;
  /** For the operator; holds no secret. */
  readonly words: string;
}

/** Codes of Discord's errors that somebody here decides by. */
export const errorCodes = {
  unknownChannel: 10_003,
  unknownMessage: 10_008,
  requestTooLarge: 40_005,
  threadExistsAlready: 160_004,
} as const;

export const tokenWords =
  "Discord refuses the bot token (`bot_token`). Make a new one: https://discord.com/developers/applications, your application, Bot, Reset Token";

/** What the operator can do about it, by the code of Discord's error. */
const remedies: Readonly<Record<number, string>> = {
  [errorCodes.unknownChannel]:
    "the channel or thread is gone, or the bot is no longer in the server",
  [errorCodes.requestTooLarge]:
    "the files are larger than this server takes, 10 MiB without boosts",
  50_001: "the bot cannot see the channel: give it the permission View Channel there",
  50_007: "the person takes no direct messages from the bot",
  50_013:
    "the bot lacks a permission there: it needs View Channel, Send Messages, Send Messages in Threads, Attach Files and Read Message History",
  50_278: "the person and the bot share no server",
};

export function explainProblem(error: unknown): Problem {
  if (error instanceof RateLimitError) {
    const seconds = Math.ceil(error.retryAfter / 1_000);
    return { kind: "passing", code: 0, words: `Discord asks to wait for ${seconds} s` };
  }
  if (error instanceof HTTPError) {
    return { kind: "passing", code: 0, words: `Discord is in trouble (HTTP ${error.status})` };
  }
  if (error instanceof DiscordAPIError) {
    if (error.status === 401) return { kind: "unauthorized", code: 0, words: tokenWords };
    const code = typeof error.code === "number" ? error.code : 0;
    const remedy = remedies[code];
    const said = `Discord says: ${error.message.slice(0, 500)}`;
    const words = remedy === undefined ? `${said} (code ${code})` : `${remedy} (${said})`;
    return { kind: "refused", code, words };
  }
  const message = error instanceof Error ? error.message : String(error);
  // The library forgets a token that was refused.
  if (message.startsWith("Expected token to be set"))
    return { kind: "unauthorized", code: 0, words: tokenWords };
  return { kind: "passing", code: 0, words: `Discord did not answer: ${toReason(error)}` };
}

/** The innermost reason: `fetch failed` alone says nothing. */
function toReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError" || error.name === "AbortError") return "the time was up";
  return error.cause instanceof Error ? toReason(error.cause) : error.message;
}
