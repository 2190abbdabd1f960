import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { ConfigError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/load-config.ts";
import { toFingerprint } from "../providers/credentials/credential-memory.ts";
import { oauthPosition } from "../providers/credentials/credentials.ts";
import { createOAuthClient, type OAuthClient } from "../providers/oauth/oauth-client.ts";
import type { OAuthFlow } from "../providers/oauth/oauth-options.ts";
import { signInWithBrowser } from "../providers/oauth/sign-in-browser.ts";
import { signInWithDevice } from "../providers/oauth/sign-in-device.ts";
import type { SignInNotice } from "../providers/oauth/sign-in-notice.ts";
import { toStoredToken } from "../providers/oauth/stored-token.ts";
import { createTokenFile } from "../providers/oauth/token-file.ts";
import { createTokenSource, type TokenSource } from "../providers/oauth/token-source.ts";

export type { SignInNotice } from "../providers/oauth/sign-in-notice.ts";

/** One credential as people may see it. */
export interface ListedCredential {
  readonly provider: string;
  /** As in `auth.order` and in the log. */
  readonly position: number;
  readonly kind: "key" | "oauth";
  /** Tells two credentials apart without giving either away; empty when there is nothing yet. */
  readonly fingerprint: string;
  readonly state: string;
  /** `undefined` for keys, and for tokens whose server does not say. */
  readonly expiresAtMs: number | undefined;
}

export interface SignInWish {
  readonly provider: string;
  /** The configured flow when absent. */
  readonly flow: OAuthFlow | undefined;
  /** Told what a person is to do. */
  readonly announce: (notice: SignInNotice) => void;
  readonly signal: AbortSignal;
}

/** Who is signed in to the providers. Works beside a running program, which notices within a second. */
export interface SignIns {
  /** `undefined` for providers without OAuth. */
  readonly sourceOf: (provider: string) => TokenSource | undefined;
  readonly list: () => readonly ListedCredential[];
  /** @throws AuthError; ConfigError when the provider is unknown or has no OAuth. */
  readonly signIn: (wish: SignInWish) => Promise<void>;
  /** Forgets the tokens; `false` when nobody was signed in. */
  readonly signOut: (provider: string) => Promise<boolean>;
}

export interface AssembleSignInsOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
}

interface SignInPlace {
  readonly address: string;
  readonly client: OAuthClient;
  readonly source: TokenSource;
}

/** Opens and reads nothing before its first use. */
export function assembleSignIns({ config, clock, log }: AssembleSignInsOptions): SignIns {
  const { providers } = config.models;
  const file = createTokenFile({
    path: join(config.state.dataDir, "oauth-tokens.json"),
    clock,
    log,
  });
  const places = new Map<string, SignInPlace>();
  for (const [name, { oauth, baseUrl, api }] of Object.entries(providers)) {
    if (oauth === undefined) continue;
    const client = createOAuthClient({ name, oauth, clock });
    const { issuer = "", tokenUrl = "", clientId } = oauth;
    const target = URL.canParse(baseUrl) ? new URL(baseUrl).origin : baseUrl;
    // A token must not travel to another service because somebody reused the name of a provider.
    const address = toFingerprint(JSON.stringify([issuer, tokenUrl, clientId, api, target]));
    const source = createTokenSource({ name, address, client, file, clock, log });
    places.set(name, { address, client, source });
  }

  const find = (provider: string): SignInPlace => {
    const place = places.get(provider);
    if (place !== undefined) return place;
    const known = [...places.keys()].join(", ");
    const hint = known === "" ? "No provider has one." : `Those that have one: ${known}.`;
    const variable = providers[provider]?.unconfigured?.variable;
    if (variable !== undefined) {
      const why = `the environment variable ${variable} is not set`;
      throw new ConfigError(
        "CONFIG_VARIABLE_UNSET",
        `Provider ${provider} is not configured: ${why}.`,
      );
    }
    const what = Object.hasOwn(providers, provider)
      ? `Provider ${JSON.stringify(provider)} has no oauth section below models.providers.`
      : `There is no provider ${JSON.stringify(provider)} below models.providers.`;
    throw new ConfigError("CONFIG_INVALID", `${what} ${hint}`);
  };

  return {
    sourceOf: (provider) => places.get(provider)?.source,
    list: () =>
      Object.entries(providers).flatMap(([provider, { apiKeys }]) => {
        const source = places.get(provider)?.source;
        const keys = apiKeys.map((key, index): ListedCredential => ({
          provider,
          position: index + 1,
          kind: "key",
          fingerprint: toFingerprint(key.reveal()),
          state: "configured",
          expiresAtMs: undefined,
        }));
        return source === undefined ? keys : [toListed(provider, source), ...keys];
      }),
    signIn: async ({ provider, flow, announce, signal }) => {
      const { client, address } = find(provider);
      // Nobody should sign in for a token that cannot be kept.
      await file.update(provider, (current) => current);
      const options = { name: provider, client, clock, announce, signal };
      const grant =
        (flow ?? (await client.findFlow(signal))) === "device"
          ? await signInWithDevice(options)
          : await signInWithBrowser(options);
      const token = toStoredToken(grant, address, clock.now());
      await file.update(provider, () => token);
    },
    signOut: async (provider) => {
      // Tokens of a provider that is gone from the configuration can be forgotten, too.
      if (file.readNow(provider) === undefined) {
        find(provider);
        return false;
      }
      await file.update(provider, () => undefined);
      return true;
    },
  };
}

function toListed(provider: string, source: TokenSource): ListedCredential {
  const state = source.state();
  const common = { provider, position: oauthPosition, kind: "oauth" as const };
  if (state.kind === "sign-in-needed")
    return { ...common, fingerprint: "", state: state.why, expiresAtMs: undefined };
  const { accessToken, expiresAtMs, refreshToken } = state.token;
  const renewal = refreshToken === undefined ? "not refreshed" : "refreshed by itself";
  return {
    ...common,
    fingerprint: toFingerprint(accessToken.reveal()),
    state: `signed in, ${state.isOver ? "refreshed at its next use" : renewal}`,
    expiresAtMs,
  };
}
