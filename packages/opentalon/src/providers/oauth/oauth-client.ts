import type * as OAuth from "oauth4webapi";
import type { Clock } from "../../base/clock.ts";
import { createDeadline, untilAborted } from "../../base/deadline.ts";
import { AuthError } from "../../base/errors.ts";
import { isLoopbackUrl } from "../../base/loopback-url.ts";
import { createPassingSecret } from "../../base/secret.ts";
import { fetchOAuth, isToken } from "./oauth-fetch.ts";
import type { Grant, OAuthFlow, OAuthOptions } from "./oauth-options.ts";
import { toAuthError, toRefusalCode } from "./to-auth-error.ts";

/** A device that was announced and now waits for a person. */
export interface DeviceStart {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly url: string;
  /** The address with the code in it. */
  readonly completeUrl: string | undefined;
  readonly lifetimeMs: number;
  readonly intervalMs: number;
}

export type DeviceAnswer =
  | { readonly kind: "granted"; readonly grant: Grant }
  | { readonly kind: "pending" }
  | { readonly kind: "slow-down" }
  /** No answer came; asking again may help. */
  | { readonly kind: "unreachable"; readonly error: AuthError };

/** Where a person agrees, and what turns the browser's return into a grant. */
export interface BrowserStart {
  readonly url: string;
  /** Whether the parameters of a return belong to this sign-in: others may call the loopback address, too. */
  readonly isOwn: (parameters: URLSearchParams) => boolean;
  /** @throws AuthError */
  readonly finish: (parameters: URLSearchParams, signal: AbortSignal) => Promise<Grant>;
}

/**
 * Speaks OAuth 2 with the authorization server of one provider. What it throws is an AuthError: `AUTH_REFUSED` when the
 * server said no, `AUTH_UNREACHABLE` when it gave no answer that makes sense. No error holds a token.
 */
export interface OAuthClient {
  /** The configured flow, or the one the server offers. */
  readonly findFlow: (signal: AbortSignal) => Promise<OAuthFlow>;
  readonly startDevice: (signal: AbortSignal) => Promise<DeviceStart>;
  readonly pollDevice: (deviceCode: string, signal: AbortSignal) => Promise<DeviceAnswer>;
  readonly startBrowser: (redirectUrl: string, signal: AbortSignal) => Promise<BrowserStart>;
  readonly refresh: (refreshToken: string, signal: AbortSignal) => Promise<Grant>;
}

export interface OAuthClientOptions {
  /** Of the provider, for errors. */
  readonly name: string;
  readonly oauth: OAuthOptions;
  readonly clock: Clock;
}

const requestTimeoutMs = 30_000;
const usualIntervalMs = 5_000;
const leastIntervalMs = 100;
const longestDeviceLifetimeMs = 1_800_000;
/** Longer is for ever; sums with it stay numbers that can be written down. */
const longestLifetimeMs = 10 * 365 * 24 * 3_600_000;

/** Opens no connection and loads no library before its first use. */
export function createOAuthClient({ name, oauth, clock }: OAuthClientOptions): OAuthClient {
  const client: OAuth.Client = { client_id: oauth.clientId };
  const scope = oauth.scopes.join(" ");
  const wishes = { ...oauth.parameters, ...(scope === "" ? {} : { scope }) };
  let known: OAuth.AuthorizationServer | undefined;

  /** One exchange with the server, bounded in time, its errors made fit to be shown. */
  const exchange = async <Result>(
    signal: AbortSignal,
    run: (library: typeof OAuth, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> => {
    const timeIsUp = new AuthError(
      "AUTH_UNREACHABLE",
      `provider ${name}: the authorization server did not answer within ${requestTimeoutMs / 1_000} s`,
    );
    using deadline = createDeadline({
      clock,
      timeoutMs: requestTimeoutMs,
      signal,
      toError: () => timeIsUp,
    });
    const library = await import("oauth4webapi");
    try {
      return await untilAborted(deadline.signal, run(library, deadline.signal));
    } catch (error) {
      signal.throwIfAborted();
      throw toAuthError(name, error);
    }
  };

  const { issuer = "", tokenUrl, deviceUrl, authorizationUrl } = oauth;
  const configured: ReadonlySet<string | undefined> = new Set([
    issuer,
    tokenUrl,
    deviceUrl,
    authorizationUrl,
  ]);

  /** In the clear only where nobody can listen, and where we and not a server elsewhere chose this machine. */
  const mayBeInTheClear = (address: string | undefined): boolean =>
    address !== undefined &&
    isLoopbackUrl(address) &&
    (configured.has(address) || isLoopbackUrl(issuer));

  /** For requests to `address`. */
  const toRequestOptions = (
    library: typeof OAuth,
    address: string | undefined,
    signal: AbortSignal,
  ) => ({
    signal,
    [library.customFetch]: fetchOAuth,
    // oxlint-disable-next-line typescript/no-deprecated -- deprecated only so that it is noticed
    [library.allowInsecureRequests]: mayBeInTheClear(address),
  });

  const discover = async (signal: AbortSignal): Promise<OAuth.AuthorizationServer> => {
    const isComplete =
      tokenUrl !== undefined && (authorizationUrl !== undefined || deviceUrl !== undefined);
    let found: OAuth.AuthorizationServer = { issuer: issuer || (tokenUrl ?? name) };
    if (issuer !== "" && !isComplete) {
      found = await exchange(signal, async (library, within) => {
        const address = new URL(issuer);
        const options = toRequestOptions(library, issuer, within);
        const read = async (algorithm: "oidc" | "oauth2") =>
          library.processDiscoveryResponse(
            address,
            await library.discoveryRequest(address, { ...options, algorithm }),
          );
        try {
          return await read("oidc");
        } catch {
          within.throwIfAborted();
          return read("oauth2");
        }
      });
    }
    return {
      ...found,
      ...(authorizationUrl === undefined ? {} : { authorization_endpoint: authorizationUrl }),
      ...(tokenUrl === undefined ? {} : { token_endpoint: tokenUrl }),
      ...(deviceUrl === undefined ? {} : { device_authorization_endpoint: deviceUrl }),
    };
  };
  const findServer = async (signal: AbortSignal): Promise<OAuth.AuthorizationServer> =>
    (known ??= await discover(signal));

  const authenticate = (library: typeof OAuth, server: OAuth.AuthorizationServer) => {
    const secret = oauth.clientSecret?.reveal() ?? "";
    if (secret === "") return library.None();
    const methods = server.token_endpoint_auth_methods_supported ?? ["client_secret_post"];
    return methods.includes("client_secret_post")
      ? library.ClientSecretPost(secret)
      : library.ClientSecretBasic(secret);
  };

  const toGrant = (response: OAuth.TokenEndpointResponse): Grant => {
    const {
      access_token: accessToken,
      refresh_token: refreshToken,
      expires_in: seconds,
    } = response;
    if (
      response.token_type !== "bearer" ||
      !isToken(accessToken) ||
      !isToken(refreshToken ?? "-")
    ) {
      throw new AuthError(
        "AUTH_UNREACHABLE",
        `provider ${name}: the authorization server sent a token of a kind that cannot be used`,
      );
    }
    return {
      accessToken: createPassingSecret(accessToken),
      refreshToken: refreshToken === undefined ? undefined : createPassingSecret(refreshToken),
      lifetimeMs:
        seconds === undefined || seconds <= 0
          ? undefined
          : Math.min(seconds * 1_000, longestLifetimeMs),
    };
  };

  const refuseMissing = (what: string): never => {
    throw new AuthError(
      "AUTH_REFUSED",
      `provider ${name}: the authorization server names no ${what}; set it under models.providers.${name}.oauth or choose the other flow`,
    );
  };

  return {
    findFlow: async (signal) => {
      if (oauth.flow !== undefined) return oauth.flow;
      const { device_authorization_endpoint: device } = await findServer(signal);
      return device === undefined ? "browser" : "device";
    },
    startDevice: async (signal) => {
      const server = await findServer(signal);
      const address = server.device_authorization_endpoint ?? refuseMissing("device_url");
      return exchange(signal, async (library, within) => {
        const response = await library.deviceAuthorizationRequest(
          server,
          client,
          authenticate(library, server),
          wishes,
          toRequestOptions(library, address, within),
        );
        const started = await library.processDeviceAuthorizationResponse(server, client, response);
        const { expires_in: seconds, interval } = started;
        const completeUrl = started.verification_uri_complete;
        return {
          deviceCode: started.device_code,
          userCode: started.user_code,
          url: started.verification_uri,
          completeUrl,
          lifetimeMs: Math.min(seconds * 1_000, longestDeviceLifetimeMs),
          intervalMs: Math.max(
            interval === undefined ? usualIntervalMs : interval * 1_000,
            leastIntervalMs,
          ),
        };
      });
    },
    pollDevice: async (deviceCode, signal) => {
      const server = await findServer(signal);
      try {
        return await exchange(signal, async (library, within) => {
          const response = await library.deviceCodeGrantRequest(
            server,
            client,
            authenticate(library, server),
            deviceCode,
            toRequestOptions(library, server.token_endpoint, within),
          );
          const code = await toRefusalCode(response);
          if (code === "authorization_pending") return { kind: "pending" };
          if (code === "slow_down") return { kind: "slow-down" };
          const granted = await library.processDeviceCodeResponse(server, client, response);
          return { kind: "granted", grant: toGrant(granted) };
        });
      } catch (error) {
        if (!(error instanceof AuthError) || error.code !== "AUTH_UNREACHABLE") throw error;
        return { kind: "unreachable", error };
      }
    },
    startBrowser: async (redirectUrl, signal) => {
      const server = await findServer(signal);
      const address = server.authorization_endpoint ?? refuseMissing("authorization_url");
      const url = URL.canParse(address) ? new URL(address) : undefined;
      if (url === undefined || (url.protocol !== "https:" && !mayBeInTheClear(address))) {
        const message = `provider ${name}: the authorization server names an address that is not https`;
        throw new AuthError("AUTH_REFUSED", message);
      }
      const library = await import("oauth4webapi");
      const verifier = library.generateRandomCodeVerifier();
      const state = library.generateRandomState();
      const own = {
        client_id: oauth.clientId,
        response_type: "code",
        redirect_uri: redirectUrl,
        code_challenge: await library.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
        state,
      };
      for (const [key, value] of Object.entries({ ...wishes, ...own })) {
        url.searchParams.set(key, value);
      }
      return {
        url: url.href,
        isOwn: (parameters) => parameters.get("state") === state,
        finish: async (returned, withinLogin) =>
          exchange(withinLogin, async (library_, within) => {
            const parameters = new URLSearchParams(returned);
            // Who the issuer is can only be compared by somebody who was told.
            if (oauth.issuer === undefined) parameters.delete("iss");
            const checked = library_.validateAuthResponse(server, client, parameters, state);
            const response = await library_.authorizationCodeGrantRequest(
              server,
              client,
              authenticate(library_, server),
              checked,
              redirectUrl,
              verifier,
              {
                ...toRequestOptions(library_, server.token_endpoint, within),
                additionalParameters: oauth.parameters,
              },
            );
            return toGrant(
              await library_.processAuthorizationCodeResponse(server, client, response),
            );
          }),
      };
    },
    refresh: async (refreshToken, signal) => {
      const server = await findServer(signal);
      return exchange(signal, async (library, within) => {
        const response = await library.refreshTokenGrantRequest(
          server,
          client,
          authenticate(library, server),
          refreshToken,
          {
            ...toRequestOptions(library, server.token_endpoint, within),
            additionalParameters: oauth.parameters,
          },
        );
        return toGrant(await library.processRefreshTokenResponse(server, client, response));
      });
    },
  };
}
