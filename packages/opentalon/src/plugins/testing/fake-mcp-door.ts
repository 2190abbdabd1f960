import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeMcpDoorOptions {
  /** What it wants before it talks; nothing when absent. */
  readonly auth?: "oauth";
  /** Seconds an access token lasts. */
  readonly tokenSeconds?: number;
  /** The only client it knows beside those that registered themselves. */
  readonly client?: { readonly id: string; readonly secret: string };
  /** Whether it tells of itself as a server without streamable HTTP would. */
  readonly port?: number;
}

/** One request for a tool, as it arrived. */
export interface DoorCall {
  readonly tool: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** A server of the Model Context Protocol over HTTP, and the authorization server before it, written by hand. */
export interface FakeMcpDoor extends AsyncDisposable {
  readonly url: string;
  readonly origin: string;
  readonly calls: readonly DoorCall[];
  /** Grants that tokens were given for, in order. */
  readonly grants: readonly string[];
  /** Paths that were asked for with a header `x-key`. */
  readonly keyed: readonly string[];
  /** Forgets all sessions, as a server does that was started anew. */
  readonly forgetSessions: () => void;
  /** Makes every token given so far worthless. */
  readonly revoke: () => void;
  /** What a browser does at the address of a sign-in; gives where it is sent. */
  readonly consent: (address: string) => Promise<string>;
}

export async function createFakeMcpDoor(options: FakeMcpDoorOptions = {}): Promise<FakeMcpDoor> {
  const calls: DoorCall[] = [];
  const grants: string[] = [];
  const keyed: string[] = [];
  const sessions = new Set<string>();
  const tokens = new Set<string>();
  const refreshTokens = new Set<string>();
  const codes = new Map<string, { readonly challenge: string; readonly redirect: string }>();
  const clients = new Map<string, readonly string[]>();
  let origin = "";

  const server = createServer((request, response) => {
    void handle(request, response).catch((error: unknown) => {
      response.writeHead(500);
      response.end(String(error));
    });
  });

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", origin);
    if (request.headers["x-key"] !== undefined) keyed.push(url.pathname);
    const body = await readText(request);
    const json = (status: number, value: object, headers = {}): void => {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify(value));
    };
    switch (url.pathname) {
      case "/mcp":
        return answerMcp(request, response, body, json);
      case "/.well-known/oauth-protected-resource/mcp":
      case "/.well-known/oauth-protected-resource":
        return json(200, { resource: `${origin}/mcp`, authorization_servers: [origin] });
      case "/.well-known/oauth-authorization-server":
        return json(200, {
          issuer: origin,
          authorization_endpoint: `${origin}/authorize`,
          token_endpoint: `${origin}/token`,
          registration_endpoint: `${origin}/register`,
          response_types_supported: ["code"],
          grant_types_supported: ["authorization_code", "refresh_token", "client_credentials"],
          code_challenge_methods_supported: ["S256"],
          token_endpoint_auth_methods_supported: ["client_secret_basic", "none"],
        });
      case "/register": {
        const { redirect_uris: uris } = JSON.parse(body) as { redirect_uris: readonly string[] };
        const id = randomBytes(8).toString("hex");
        clients.set(id, uris);
        return json(201, { ...(JSON.parse(body) as object), client_id: id });
      }
      case "/authorize": {
        const redirect = url.searchParams.get("redirect_uri") ?? "";
        const known = clients.get(url.searchParams.get("client_id") ?? "");
        if (known?.includes(redirect) !== true) return json(400, { error: "invalid_client" });
        const code = randomBytes(8).toString("hex");
        codes.set(code, { challenge: url.searchParams.get("code_challenge") ?? "", redirect });
        const target = new URL(redirect);
        target.searchParams.set("code", code);
        target.searchParams.set("state", url.searchParams.get("state") ?? "");
        response.writeHead(302, { location: target.href });
        return void response.end();
      }
      case "/token":
        return answerToken(request, new URLSearchParams(body), json);
      default:
        return json(404, { error: "not_found" });
    }
  };

  type Json = (status: number, value: object, headers?: object) => void;

  const answerToken = (request: IncomingMessage, form: URLSearchParams, json: Json): void => {
    const grant = form.get("grant_type") ?? "";
    const isAllowed = (): boolean => {
      if (grant === "client_credentials") {
        const { id = "", secret = "" } = options.client ?? {};
        const expected = `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
        return id !== "" && request.headers.authorization === expected;
      }
      if (grant === "refresh_token") return refreshTokens.delete(form.get("refresh_token") ?? "");
      const code = codes.get(form.get("code") ?? "");
      codes.delete(form.get("code") ?? "");
      const verifier = createHash("sha256")
        .update(form.get("code_verifier") ?? "")
        .digest("base64url");
      return code?.challenge === verifier && code.redirect === form.get("redirect_uri");
    };
    if (!isAllowed()) return json(400, { error: "invalid_grant" });
    grants.push(grant);
    const access = randomBytes(8).toString("hex");
    tokens.add(access);
    const refresh = randomBytes(8).toString("hex");
    if (grant !== "client_credentials") refreshTokens.add(refresh);
    json(200, {
      access_token: access,
      token_type: "Bearer",
      expires_in: options.tokenSeconds ?? 3_600,
      ...(grant === "client_credentials" ? {} : { refresh_token: refresh }),
    });
  };

  const answerMcp = (
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
    json: Json,
  ): void => {
    const { authorization = "" } = request.headers;
    const isPerson = authorization.startsWith("Person ");
    if (options.auth === "oauth" && !isPerson && !tokens.has(authorization.replace(/^Bearer /, "")))
      return json(
        401,
        {},
        {
          "www-authenticate": `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`,
        },
      );
    if (request.method !== "POST") return json(405, {});
    const message = JSON.parse(body) as {
      id?: number;
      method: string;
      params?: { name?: string; protocolVersion?: string };
    };
    const answer = (result: object, headers = {}): void =>
      json(200, { jsonrpc: "2.0", id: message.id, result }, headers);
    if (message.method === "initialize") {
      const session = randomBytes(8).toString("hex");
      sessions.add(session);
      return answer(
        {
          protocolVersion: message.params?.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: "door", version: "1" },
        },
        { "mcp-session-id": session },
      );
    }
    if (message.method === "server/discover") return json(400, { error: "no session" });
    if (!sessions.has(String(request.headers["mcp-session-id"]))) return json(404, {});
    if (message.id === undefined) {
      response.writeHead(202);
      return void response.end();
    }
    if (message.method === "tools/list")
      return answer({
        tools: [
          {
            name: "who",
            inputSchema: { type: "object", properties: { entity_id: { type: "string" } } },
          },
        ],
      });
    const tool = message.params?.name ?? "";
    calls.push({ tool, headers: request.headers as DoorCall["headers"] });
    answer({ content: [{ type: "text", text: body }] });
  };

  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}/mcp`,
    origin,
    calls,
    grants,
    keyed,
    forgetSessions: () => sessions.clear(),
    revoke: () => tokens.clear(),
    consent: async (address) => {
      const answer = await fetch(address, { redirect: "manual" });
      return answer.headers.get("location") ?? "";
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readText(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}
