import XOAuth2 from "nodemailer/lib/xoauth2";
import type { TokenSettings } from "./read-settings.ts";

/** Access tokens of an account, got anew before they end (OAuth 2.0). */
export interface AccessTokens {
  /**
   * One that is good for now; `isRefused` gets another one.
   * @throws Error when the server that gives them refuses, or is away.
   */
  readonly get: (isRefused?: boolean) => Promise<string>;
  /** For the connections of SMTP, which ask by themselves. */
  readonly source: XOAuth2;
}

const requestTimeoutMs = 10_000;

export function createAccessTokens(settings: TokenSettings, user: string): AccessTokens {
  const source = new XOAuth2({
    user,
    clientId: settings.clientId,
    clientSecret: settings.clientSecret,
    refreshToken: settings.refreshToken,
    accessUrl: settings.tokenUrl,
    requestTimeout: requestTimeoutMs,
  });
  source.on("error", () => {});
  return {
    source,
    get: (isRefused = false) =>
      new Promise((resolve, reject) => {
        source.getToken(isRefused, (error, token) => {
          if (error === null) resolve(token);
          else reject(new Error(`no access token from config.oauth.token_url: ${error.message}`));
        });
      }),
  };
}
