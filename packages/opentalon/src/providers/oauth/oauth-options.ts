import type { Secret } from "../../base/secret.ts";

export type OAuthFlow = "device" | "browser";

/** How somebody signs in to a provider. Addresses that are absent come from the issuer's metadata. */
export interface OAuthOptions {
  readonly issuer?: string | undefined;
  readonly authorizationUrl?: string | undefined;
  readonly tokenUrl?: string | undefined;
  readonly deviceUrl?: string | undefined;
  readonly clientId: string;
  /** Absent for public clients. */
  readonly clientSecret?: Secret | undefined;
  readonly scopes: readonly string[];
  /** Absent: device when the server offers it, else browser. */
  readonly flow?: OAuthFlow | undefined;
  /** Sent along with what the protocol asks for, which they cannot replace: `audience`, `resource`. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** What a server granted. */
export interface Grant {
  readonly accessToken: Secret;
  /** Absent when the server gives none: then somebody signs in again after the end. */
  readonly refreshToken: Secret | undefined;
  /** `undefined` when the server does not say. */
  readonly lifetimeMs: number | undefined;
}
