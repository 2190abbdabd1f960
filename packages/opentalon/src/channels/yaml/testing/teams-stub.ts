import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import {
  startStubServer,
  type StubAnswer,
  type StubRequest,
  type StubServer,
} from "./stub-server.ts";

/** The Bot Framework: signing in, the OIDC document with its keys, and the address activities are posted to. */
export interface TeamsStub extends AsyncDisposable {
  readonly server: StubServer;
  readonly serviceUrl: string;
  /** Settings that lead the channel here. */
  readonly config: Readonly<Record<string, string>>;
  readonly texts: () => readonly string[];
  readonly activities: () => readonly StubRequest["json"][];
  /** A token as the Bot Framework signs it; `claims` change it. */
  readonly createToken: (
    claims?: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ) => string;
  /** From now on tokens are signed with a new key of that id. */
  readonly changeKey: (keyId: string) => void;
  /** Access tokens from before are worth nothing. */
  readonly expireAccess: () => void;
}

export const teamsApp = {
  config: { app_id: "app-1", app_password: "app~secret&password" },
} as const;

export async function startTeamsStub(): Promise<TeamsStub> {
  let keyId = "key-1";
  let keys = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  let accessCount = 1;
  const activities: StubRequest["json"][] = [];
  const posted = new Map<string, string>();
  const { app_id: appId, app_password: password } = teamsApp.config;

  const handle = ({ method, path, json, body, headers }: StubRequest): StubAnswer => {
    if (path === "/botframework.com/oauth2/v2.0/token") {
      const form = new URLSearchParams(body);
      const isKnown = form.get("client_id") === appId && form.get("client_secret") === password;
      if (!isKnown) return { status: 401, json: { error: "invalid_client" } };
      return {
        json: { token_type: "Bearer", expires_in: 3_599, access_token: toAccess(accessCount) },
      };
    }
    if (path === "/oidc")
      return { json: { issuer: "https://api.botframework.com", jwks_uri: `${server.url}/keys` } };
    if (path === "/keys") return { json: { keys: [toJwk(keys.publicKey, keyId)] } };
    if (!path.startsWith("/emea/v3/conversations/")) return { status: 404, json: {} };
    if (headers.authorization !== `Bearer ${toAccess(accessCount)}`) {
      return { status: 401, json: { message: "Authorization has been denied for this request." } };
    }
    activities.push(json);
    const updated = /\/activities\/([^/]+)$/.exec(path)?.[1];
    if (method === "PUT" && updated !== undefined) {
      posted.set(updated, String(json["text"]));
      return { json: { id: updated } };
    }
    if (json["type"] !== "message") return { status: 201, json: { id: "" } };
    const id = `1700000000${String(posted.size + 1).padStart(3, "0")}`;
    posted.set(id, typeof json["text"] === "string" ? json["text"] : "");
    return { status: 201, json: { id } };
  };
  const server = await startStubServer({ handle });
  const serviceUrl = `${server.url}/emea/`;

  return {
    server,
    serviceUrl,
    config: {
      login_url: server.url,
      oidc_endpoint: `${server.url}/oidc`,
      service_host: server.url,
    },
    texts: () => [...posted.values()],
    activities: () => activities,
    createToken: (claims = {}, header = {}) => {
      const nowSeconds = Math.floor(Date.now() / 1_000);
      const head = { alg: "RS256", typ: "JWT", kid: keyId, ...header };
      const payload = {
        iss: "https://api.botframework.com",
        aud: appId,
        exp: nowSeconds + 3_600,
        nbf: nowSeconds - 10,
        serviceurl: serviceUrl,
        ...claims,
      };
      const text = `${toPart(head)}.${toPart(payload)}`;
      return `${text}.${sign("RSA-SHA256", Buffer.from(text), keys.privateKey).toString("base64url")}`;
    },
    changeKey: (next) => {
      keyId = next;
      keys = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    },
    expireAccess: () => {
      accessCount += 1;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function toAccess(count: number): string {
  return `access-token-number-${count}`;
}

function toJwk(key: KeyObject, kid: string): unknown {
  return { ...key.export({ format: "jwk" }), kid, use: "sig", endorsements: ["msteams"] };
}

function toPart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

let count = 0;

/** A message of a person in a chat with the bot. */
export function teamsMessage(
  text: string,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    type: "message",
    id: `16${String((count += 1)).padStart(8, "0")}`,
    timestamp: "2023-11-14T22:13:20.000Z",
    channelId: "msteams",
    from: { id: "29:ada", name: "Ada", role: "user" },
    conversation: { id: "a:1-conversation", conversationType: "personal", tenantId: "t1" },
    recipient: { id: "28:app-1", name: "Talon" },
    channelData: { tenant: { id: "t1" } },
    text,
    ...more,
  };
}
