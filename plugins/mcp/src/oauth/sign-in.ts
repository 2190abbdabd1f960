import { randomBytes, timingSafeEqual } from "node:crypto";
import type { AuthProvider, FetchLike, OAuthClientProvider } from "@modelcontextprotocol/client";
import {
  auth,
  ClientCredentialsProvider,
  extractWWWAuthenticateParams,
} from "@modelcontextprotocol/client";
import type { HttpPlace } from "../server-entry.ts";
import { NeedsSignIn } from "./needs-sign-in.ts";
import type { TokenFile } from "./token-file.ts";
import { waitForBrowser, type BrowserWait } from "./wait-for-browser.ts";

export interface SignInOptions {
  /** Name of the server, for people. */
  readonly name: string;
  readonly place: HttpPlace;
  readonly file: TokenFile;
  readonly fetch: FetchLike;
  /** Whether the request under way carries a credential of the person's own, which no sign-in of ours replaces. */
  readonly hasOwnCredential: () => boolean;
  readonly log: (line: string) => void;
  /** Called when somebody has signed in. */
  readonly onSignedIn: () => void;
}

/** Signing in to one server: with credentials of the configuration, or by a person in a browser. */
export interface SignIn extends Disposable {
  /** For the transport: the token, and what to do when it is refused. */
  readonly authProvider: AuthProvider;
  /**
   * Begins a sign-in and gives the address to open in a browser; the same one while it is waited for, ten minutes long.
   * @throws Error in words for the operator.
   */
  readonly begin: () => Promise<string>;
  /**
   * Ends a sign-in with the address the browser ended up at, for a browser that runs on another machine.
   * @throws Error in words for the operator.
   */
  readonly finish: (address: string) => Promise<void>;
}

const requestTimeoutMs = 15_000;
const waitMs = 600_000;
/** A token that ends within this time is renewed before it is used. */
const renewBeforeMs = 30_000;

interface Pending {
  readonly url: string;
  readonly state: string;
  readonly provider: OAuthClientProvider;
  readonly browser: BrowserWait;
}

export function createSignIn(options: SignInOptions): SignIn {
  const { name, place, file, log } = options;
  const { url: serverUrl, oauth } = place;
  const fetchFn = createCarefulFetch(options.fetch, serverUrl);
  const machine =
    oauth.grant === "client-credentials"
      ? new ClientCredentialsProvider({
          clientId: oauth.clientId,
          clientSecret: oauth.clientSecret,
          expectedIssuer: oauth.issuer,
          ...(oauth.scope === "" ? {} : { scope: oauth.scope }),
        })
      : undefined;
  let renewing: Promise<void> | undefined;
  let beginning: Promise<string> | undefined;
  let pending: Pending | undefined;

  const explainNeed = (): NeedsSignIn =>
    new NeedsSignIn(
      `the server "${name}" wants somebody to sign in; the operator finds the address in the log, or gets it from the action authorize of this server`,
    );

  const runAuth = (
    provider: OAuthClientProvider,
    more: Omit<Parameters<typeof auth>[1], "serverUrl">,
  ): ReturnType<typeof auth> =>
    auth(provider, {
      serverUrl,
      fetchFn,
      ...(oauth.scope === "" ? {} : { scope: oauth.scope }),
      ...more,
    });

  /** A new token without a person, one attempt for all who wait. @throws NeedsSignIn, Error */
  const renew = (challenge: Parameters<typeof runAuth>[1] = {}): Promise<void> => {
    renewing ??= (async () => {
      if (machine !== undefined) {
        await runAuth(machine, challenge);
        return;
      }
      if (file.read().tokens?.refresh_token === undefined) throw explainNeed();
      const provider = createProvider(options, {
        redirectUrl: file.read().redirectUrl ?? "http://127.0.0.1/callback",
        state: "",
        onRedirect: () => {
          throw explainNeed();
        },
      });
      await runAuth(provider, challenge);
    })().finally(() => (renewing = undefined));
    return renewing;
  };

  const authProvider: AuthProvider = {
    token: async () => {
      if (machine !== undefined) return machine.tokens()?.access_token;
      const { expiresAtMs, tokens } = file.read();
      const ends = expiresAtMs !== undefined && expiresAtMs - Date.now() < renewBeforeMs;
      // When it cannot be renewed now, the server decides about the one there is.
      if (ends && tokens?.refresh_token !== undefined) await renew().catch(() => undefined);
      return file.read().tokens?.access_token;
    },
    onUnauthorized: async ({ response }) => {
      if (options.hasOwnCredential())
        throw new Error(`the server "${name}" does not accept the person's own credential`);
      const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(response);
      if (resourceMetadataUrl !== undefined) lastChallenge = { resourceMetadataUrl };
      if (scope !== undefined && oauth.scope === "") lastChallenge = { ...lastChallenge, scope };
      await renew(lastChallenge);
    },
  };
  let lastChallenge: { resourceMetadataUrl?: URL; scope?: string } = {};

  const cancel = (): void => {
    pending?.browser.close();
    pending = undefined;
  };

  const finish = async (params: URLSearchParams): Promise<void> => {
    if (pending === undefined)
      throw new Error("no sign-in is waited for: begin one, and finish it within ten minutes");
    const { provider, state } = pending;
    if (!isSame(params.get("state") ?? "", state))
      throw new Error("the address belongs to another sign-in; use the newest one");
    cancel();
    const code = params.get("code");
    if (code === null) throw new Error("the sign-in was refused in the browser");
    const iss = params.get("iss") ?? undefined;
    await runAuth(provider, {
      authorizationCode: code,
      ...(iss === undefined ? {} : { iss }),
    });
    log("somebody signed in");
    options.onSignedIn();
  };

  const begin = async (): Promise<string> => {
    if (machine !== undefined)
      throw new Error(
        `the bridge signs in to "${name}" by itself, with the configured credentials`,
      );
    if (pending !== undefined) return pending.url;
    const state = randomBytes(24).toString("base64url");
    const kept = file.read();
    const browser = await waitForBrowser({
      port: oauth.redirectPort,
      // An address that was registered is used again where it is free.
      preferred: kept.redirectUrl,
      limitMs: waitMs,
      onCallback: async (params) => {
        try {
          await finish(params);
        } catch (error) {
          log(`signing in did not work: ${toMessage(error)}`);
          throw error;
        }
      },
      onTimeout: () => (pending = undefined),
    });
    let address = "";
    try {
      const isMoved = kept.redirectUrl !== browser.redirectUrl;
      file.change({
        redirectUrl: browser.redirectUrl,
        ...(isMoved ? { client: undefined } : {}),
        discovery: undefined,
      });
      const provider = createProvider(options, {
        redirectUrl: browser.redirectUrl,
        state,
        onRedirect: (target) => (address = target.href),
      });
      await runAuth(provider, { ...lastChallenge, forceReauthorization: true });
      pending = { url: address, state, provider, browser };
      return address;
    } catch (error) {
      browser.close();
      throw new Error(`signing in to "${name}" cannot begin: ${toMessage(error)}`, {
        cause: error,
      });
    }
  };

  return {
    authProvider,
    begin: () => (beginning ??= begin().finally(() => (beginning = undefined))),
    finish: async (address) => {
      if (!URL.canParse(address)) throw new Error("that is not the address of a page");
      await finish(new URL(address).searchParams);
    },
    [Symbol.dispose]: cancel,
  };
}

interface ProviderOptions {
  readonly redirectUrl: string;
  readonly state: string;
  readonly onRedirect: (url: URL) => void;
}

/** The library's view of one sign-in by a person. */
function createProvider(
  { place: { oauth }, file }: SignInOptions,
  { redirectUrl, state, onRedirect }: ProviderOptions,
): OAuthClientProvider {
  const isPublic = oauth.clientSecret === "";
  let verifier = "";
  return {
    redirectUrl,
    clientMetadata: {
      client_name: "OpenTalon",
      redirect_uris: [redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: isPublic ? "none" : "client_secret_basic",
      ...(oauth.scope === "" ? {} : { scope: oauth.scope }),
    },
    state: () => state,
    clientInformation: () => {
      if (oauth.clientId === "") return file.read().client;
      return {
        client_id: oauth.clientId,
        ...(isPublic ? {} : { client_secret: oauth.clientSecret }),
        ...(oauth.issuer === "" ? {} : { issuer: oauth.issuer }),
      };
    },
    saveClientInformation: (client) => {
      if (oauth.clientId === "") file.change({ client });
    },
    tokens: () => file.read().tokens,
    saveTokens: (tokens) => {
      const { expires_in: seconds } = tokens;
      const expiresAtMs = seconds === undefined ? undefined : Date.now() + seconds * 1_000;
      // A server that gives no new refresh token means the old one to be used again.
      const { refresh_token: old } = file.read().tokens ?? {};
      file.change({
        tokens: { ...(old === undefined ? {} : { refresh_token: old }), ...tokens },
        expiresAtMs,
      });
    },
    redirectToAuthorization: onRedirect,
    saveCodeVerifier: (text) => void (verifier = text),
    codeVerifier: () => verifier,
    discoveryState: () => file.read().discovery,
    saveDiscoveryState: (discovery) => file.change({ discovery }),
    invalidateCredentials: (scope) => {
      if (scope === "all" || scope === "tokens")
        file.change({ tokens: undefined, expiresAtMs: undefined });
      if (scope === "all" || scope === "client") file.change({ client: undefined });
      if (scope === "all" || scope === "discovery") file.change({ discovery: undefined });
    },
  };
}

/**
 * Requests of a sign-in, to addresses the server names: encrypted, except on this machine for a server on this machine;
 * and bounded in time.
 */
function createCarefulFetch(fetch: FetchLike, serverUrl: URL): FetchLike {
  return (target, init = {}) => {
    const url = new URL(target);
    const isFine =
      url.protocol === "https:" || (isLoopback(url.hostname) && isLoopback(serverUrl.hostname));
    if (!isFine) throw new Error(`${url.origin} is not encrypted, so nothing is signed in there`);
    const limit = AbortSignal.timeout(requestTimeoutMs);
    const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
    return fetch(target, { ...init, signal });
  };
}

function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

function isSame(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
