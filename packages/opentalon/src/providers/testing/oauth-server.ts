/**
 * An authorization server for tests: the device flow, the browser flow with PKCE, and refreshes over real HTTP on
 * loopback. It checks what it is sent as a strict server does, and remembers which tokens it gave out.
 */
import { createHash, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface OAuthServerOptions {
  /** What polls of the device flow are told before they are granted a token. */
  readonly devicePolls?: readonly (
    | "authorization_pending"
    | "slow_down"
    | "expired_token"
    | "oops"
  )[];
  readonly intervalSeconds?: number;
  /** Of access tokens; `null` tells none. */
  readonly lifetimeSeconds?: number | null;
  readonly hasRefreshTokens?: boolean;
  readonly clientSecret?: string;
}

export interface OAuthServer extends AsyncDisposable {
  /** Root, and issuer. */
  readonly url: string;
  /** The section `oauth` of a provider that signs in here. */
  readonly config: (flow: "device" | "browser") => Readonly<Record<string, unknown>>;
  /** Bodies of all requests to the token address, in order of arrival. */
  readonly tokenRequests: readonly Readonly<Record<string, string>>[];
  /** Every token that was ever given out. */
  readonly tokens: () => readonly string[];
  /** Whether a model server may answer to this `authorization` header. */
  readonly isWelcome: (authorization: string | undefined) => boolean;
  /** Takes back all access tokens, as a service does that was told to. */
  readonly revokeAccess: () => void;
  /** The next refreshes end this way. */
  readonly failRefreshes: (how: "invalid_grant" | "unavailable" | undefined) => void;
  /** Called before each refresh is answered. */
  readonly beforeRefresh: (wait: () => Promise<void>) => void;
  /** What a browser does whose person agrees: follows the address, and its return. */
  readonly agree: (url: string) => Promise<{ readonly status: number; readonly returnUrl: string }>;
}

interface Code {
  readonly challenge: string;
  readonly redirectUri: string;
}

export const oauthClientId = "client-of-tests";

export async function createOAuthServer(options: OAuthServerOptions = {}): Promise<OAuthServer> {
  const { devicePolls = [], intervalSeconds = 5, lifetimeSeconds = 3_600, clientSecret } = options;
  const { hasRefreshTokens = true } = options;
  const codes = new Map<string, Code>();
  const devices = new Set<string>();
  const access = new Set<string>();
  const refresh = new Set<string>();
  const given: string[] = [];
  const tokenRequests: Record<string, string>[] = [];
  let polls = 0;
  let refreshFailure: "invalid_grant" | "unavailable" | undefined;
  let wait = async (): Promise<void> => undefined;

  const grant = (): unknown => {
    const tokens = { access: `access-${randomUUID()}`, refresh: `refresh-${randomUUID()}` };
    access.add(tokens.access);
    given.push(tokens.access);
    if (hasRefreshTokens) {
      refresh.add(tokens.refresh);
      given.push(tokens.refresh);
    }
    return {
      access_token: tokens.access,
      token_type: "Bearer",
      ...(lifetimeSeconds === null ? {} : { expires_in: lifetimeSeconds }),
      ...(hasRefreshTokens ? { refresh_token: tokens.refresh } : {}),
      // Of nobody we trust: must be ignored, not believed.
      id_token: "not.a.token",
    };
  };

  const answerToken = async (body: Record<string, string>): Promise<[number, unknown]> => {
    tokenRequests.push(body);
    const refuse = (error: string): [number, unknown] => [400, { error }];
    if (body["client_id"] !== oauthClientId || body["client_secret"] !== clientSecret)
      return [401, { error: "invalid_client" }];
    switch (body["grant_type"]) {
      case "authorization_code": {
        const code = codes.get(body["code"] ?? "");
        codes.delete(body["code"] ?? "");
        const challenge = createHash("sha256")
          .update(body["code_verifier"] ?? "")
          .digest("base64url");
        if (code?.challenge !== challenge || code.redirectUri !== body["redirect_uri"])
          return refuse("invalid_grant");
        return [200, grant()];
      }
      case "urn:ietf:params:oauth:grant-type:device_code": {
        if (!devices.has(body["device_code"] ?? "")) return refuse("invalid_grant");
        const told = devicePolls[polls];
        polls += 1;
        if (told === "oops") return [503, "out of order"];
        return told === undefined ? [200, grant()] : refuse(told);
      }
      case "refresh_token": {
        await wait();
        if (refreshFailure === "unavailable") return [503, "out of order"];
        // A refresh token is good once, as strict servers have it.
        const isKnown = refresh.delete(body["refresh_token"] ?? "");
        if (refreshFailure !== undefined || !isKnown) return refuse("invalid_grant");
        return [200, grant()];
      }
      default:
        return refuse("unsupported_grant_type");
    }
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", root);
    const { searchParams } = url;
    switch (`${request.method} ${url.pathname}`) {
      case "GET /.well-known/openid-configuration":
        send(response, 200, {
          issuer: root,
          authorization_endpoint: `${root}/authorize`,
          token_endpoint: `${root}/token`,
          device_authorization_endpoint: `${root}/device`,
        });
        return;
      case "GET /authorize": {
        const code = randomUUID();
        const redirectUri = searchParams.get("redirect_uri") ?? "";
        const isRight =
          searchParams.get("client_id") === oauthClientId &&
          searchParams.get("response_type") === "code" &&
          searchParams.get("code_challenge_method") === "S256";
        if (!isRight) return send(response, 400, { error: "invalid_request" });
        codes.set(code, { challenge: searchParams.get("code_challenge") ?? "", redirectUri });
        const back = new URL(redirectUri);
        back.searchParams.set("code", code);
        back.searchParams.set("state", searchParams.get("state") ?? "");
        back.searchParams.set("iss", root);
        response.writeHead(302, { location: back.href }).end();
        return;
      }
      case "POST /device": {
        const device = `device-${randomUUID()}`;
        devices.add(device);
        send(response, 200, {
          device_code: device,
          user_code: "WDJB-MJHT",
          verification_uri: `${root}/activate`,
          verification_uri_complete: `${root}/activate?user_code=WDJB-MJHT`,
          expires_in: 600,
          interval: intervalSeconds,
        });
        return;
      }
      case "POST /token": {
        const body = Object.fromEntries(new URLSearchParams(await readText(request)));
        send(response, ...(await answerToken(body)));
        return;
      }
      default:
        send(response, 404, {});
    }
  };

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url: root,
    config: (flow) => ({
      client_id: oauthClientId,
      token_url: `${root}/token`,
      flow,
      ...(flow === "device"
        ? { device_url: `${root}/device` }
        : { authorization_url: `${root}/authorize` }),
      ...(clientSecret === undefined ? {} : { client_secret: clientSecret }),
    }),
    tokenRequests,
    tokens: () => given,
    isWelcome: (authorization = "") =>
      authorization.startsWith("Bearer ") && access.has(authorization.slice("Bearer ".length)),
    revokeAccess: () => access.clear(),
    failRefreshes: (how) => (refreshFailure = how),
    beforeRefresh: (next) => (wait = next),
    agree: async (url) => {
      const redirect = await fetch(url, { redirect: "manual" });
      const returnUrl = redirect.headers.get("location") ?? "";
      const { status } = await fetch(returnUrl);
      return { status, returnUrl };
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const isText = typeof body === "string";
  response.writeHead(status, { "content-type": isText ? "text/plain" : "application/json" });
  response.end(isText ? body : JSON.stringify(body));
}

async function readText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}
