import XOAuth2 from "nodemailer/lib/xoauth2";
import { toOneLine } from "./mail-address.ts";
import type { TokenSettings } from "./read-settings.ts";

/** Access tokens of an account, got anew before they end (OAuth 2.0). */
export interface AccessTokens {
  /**
   * One that is good for now; `isRefused` gets another one.
   * @throws TokenRefusedError when the account is not, or no longer, open to us; another Error when the server is away.
   */
  readonly get: (isRefused?: boolean) => Promise<string>;
  /** For the connections of SMTP, which ask by themselves. */
  readonly source: XOAuth2;
}

/** What config.oauth holds is not taken; only the operator can mend that. */
export class TokenRefusedError extends Error {
  override readonly name = "TokenRefusedError";
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
          else reject(toTokenError(error));
        });
      }),
  };
}

function toTokenError({ message }: Error): Error {
  const problem = `config.oauth brought no access token: ${toOneLine(message, 300)}`;
  const isRefusal = /\b(?:invalid_grant|invalid_client|unauthorized_client)\b/.test(message);
  return isRefusal ? new TokenRefusedError(problem) : new Error(problem);
}
