/** What the operator says of the bot. */
export interface Settings {
  readonly token: string;
  /** In channels of servers, answers go into a thread below the question. */
  readonly repliesInThreads: boolean;
  /** Base of the REST API, without the version. */
  readonly apiUrl: string;
}

const defaultApiUrl = "https://discord.com/api";

/** @throws Error that names the key. */
export function readSettings(config: Readonly<Record<string, unknown>>): Settings {
  return {
    token: readToken(config["bot_token"]),
    repliesInThreads: readFlag("reply_in_threads", config["reply_in_threads"]),
    apiUrl: readApiUrl(config["api_url"]),
  };
}

function readToken(value: unknown): string {
  if (value !== undefined && value !== null && typeof value !== "string")
    throw new Error("`bot_token` must be a text");
  const token = (value ?? "").trim().replace(/^Bot\s+/i, "");
  if (token === "") {
    throw new Error(
      "`bot_token` is missing: https://discord.com/developers/applications, your application, Bot, Reset Token",
    );
  }
  if (/[^\x21-\x7e]/.test(token))
    throw new Error("`bot_token` holds a character that no token has, such as a space");
  return token;
}

function readFlag(key: string, value: unknown): boolean {
  if (value === undefined || value === null || value === "") return false;
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw new Error(`\`${key}\` must be true or false`);
}

function readApiUrl(value: unknown): string {
  if (value === undefined || value === null || value === "") return defaultApiUrl;
  if (typeof value !== "string" || !URL.canParse(value))
    throw new Error("`api_url` must be a URL, such as https://discord.com/api");
  // The token goes there with every request.
  if (!/^https:/i.test(value) && !(/^http:/i.test(value) && isLoopbackUrl(value)))
    throw new Error("`api_url` must begin with https://");
  return value.replace(/\/+$/, "");
}

/** Whether an address leads to this machine itself. */
export function isLoopbackUrl(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { hostname } = new URL(address);
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}
