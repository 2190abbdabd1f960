/** The settings of the plugin's entry as servers: `plugins.mcp.config`, and `OPENTALON_MCP_SERVERS`. */
import { isAbsolute } from "node:path";
import { toServerSlug } from "./action-names.ts";
import type {
  CommandPlace,
  HttpPlace,
  OAuthSettings,
  ServerEntry,
  ServerPlace,
} from "./server-entry.ts";
import type { Fields } from "./read-fields.ts";
import { expandVariables, readFields } from "./read-fields.ts";

export interface BridgeConfig {
  /** Name the plugin reports. */
  readonly name: string;
  readonly servers: readonly ServerEntry[];
  /** How long the first answer about the actions may wait for the servers. */
  readonly startWaitMs: number;
  /** What was left out of account, in words for the operator. */
  readonly warnings: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

const maxServers = 32;
const serverKeys = ["server", "name", "trust_hints", "instructions", "timeout", "max_tools"];
const oauthKeys = ["grant", "client_id", "client_secret", "scope", "issuer", "redirect_port"];
const maxTimeoutMs = 24 * 3_600_000;

/** @throws Error that says what is wrong, for the operator. */
export function readConfig(
  config: Readonly<Record<string, unknown>>,
  environment: Environment,
): BridgeConfig {
  const fields = readFields(config, "config");
  const name = fields.text("name", "mcp");
  if (!/^[a-zA-Z0-9_-]{1,16}$/.test(name) || name.includes("__"))
    throw new Error("config.name must be 1 to 16 letters, digits, `-` and single `_`");
  const startWaitMs = fields.duration("start_wait", 4_000, 60_000);
  const listed = [...fields.list("servers"), ...readServersVariable(environment)];
  if (listed.length === 0) {
    throw new Error(
      "there is no server: list them under config.servers, as in `servers: [{server: files, command: npx, args: [...]}]`",
    );
  }
  if (listed.length > maxServers)
    throw new Error(`there are ${listed.length} servers; ${maxServers} are the most`);
  const warnings = [...fields.findOthers(["name", "servers", "start_wait"])];
  const servers = listed.map((entry, index) =>
    readServer(readFields(entry, `config.servers[${index}]`), environment, warnings),
  );
  const bySlug = new Map<string, string>();
  for (const { slug, name: server } of servers) {
    const other = bySlug.get(slug);
    if (other !== undefined)
      throw new Error(
        `the servers "${other}" and "${server}" would have the same actions (${slug}__…)`,
      );
    bySlug.set(slug, server);
  }
  return { name, servers, startWaitMs, warnings };
}

function readServersVariable(environment: Environment): readonly unknown[] {
  const text = environment["OPENTALON_MCP_SERVERS"] ?? "";
  if (text === "") return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  if (Array.isArray(parsed)) return parsed;
  throw new Error("OPENTALON_MCP_SERVERS is not a JSON list of servers");
}

function readServer(fields: Fields, environment: Environment, warnings: string[]): ServerEntry {
  const name = fields.text("server", fields.text("name", ""));
  if (name === "") throw new Error(`${fields.place} has no name: set \`server\``);
  const place = readPlace(fields, environment);
  const entry: ServerEntry = {
    name: name.slice(0, 200),
    slug: toServerSlug(name),
    place,
    // A program on this machine can do whatever its word could talk anybody into; a server elsewhere cannot.
    trustHints: fields.flag("trust_hints", isOnThisMachine(place)),
    useInstructions: fields.flag("instructions", false),
    timeoutMs: fields.duration("timeout", 60_000, maxTimeoutMs),
    maxTools: fields.whole("max_tools", 250, 1_000),
  };
  const ofPlace =
    place.kind === "http"
      ? ["url", "transport", "headers", "context_headers", "oauth"]
      : ["command", "args", "env", "cwd"];
  warnings.push(...fields.findOthers([...serverKeys, ...ofPlace]));
  if (place.kind === "http") warnings.push(...fields.section("oauth").findOthers(oauthKeys));
  return entry;
}

function readPlace(fields: Fields, environment: Environment): ServerPlace {
  const url = fields.text("url", "");
  const command = fields.text("command", "");
  if (url !== "" && command !== "")
    throw new Error(`${fields.place} has a url and a command; a server is at one of them`);
  if (command !== "") return readCommandPlace(command, fields, environment);
  if (url !== "") return readHttpPlace(url, fields, environment);
  throw new Error(
    `${fields.place} does not say where the server is: set \`url\`, or \`command\` and \`args\``,
  );
}

function readCommandPlace(command: string, fields: Fields, environment: Environment): CommandPlace {
  return {
    kind: "command",
    command: command.includes("/") ? toWholePath(command, `${fields.place}.command`) : command,
    args: fields.texts("args"),
    env: expandAll(fields.map("env"), `${fields.place}.env`, environment),
    cwd: toWholePath(fields.text("cwd", ""), `${fields.place}.cwd`),
  };
}

/** The bridge runs in a folder of its own, so that a relative path would mean a place nobody thinks of. */
function toWholePath(path: string, place: string): string {
  if (path === "" || isAbsolute(path)) return path;
  throw new Error(`${place} must be a whole path, such as /opt/server`);
}

function readHttpPlace(text: string, fields: Fields, environment: Environment): HttpPlace {
  const expanded = expandVariables(text, `${fields.place}.url`, environment);
  const url = URL.canParse(expanded) ? new URL(expanded) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "")
    throw new Error(`${fields.place}.url must be an address that begins with http:// or https://`);
  return {
    kind: "http",
    url,
    transport: fields.word("transport", ["auto", "http", "sse"]),
    headers: checkHeaders(
      expandAll(fields.map("headers"), `${fields.place}.headers`, environment),
      `${fields.place}.headers`,
    ),
    contextHeaders: checkHeaders(fields.map("context_headers"), `${fields.place}.context_headers`),
    oauth: readOAuth(fields),
  };
}

function readOAuth(server: Fields): OAuthSettings {
  const fields = server.section("oauth");
  const settings: OAuthSettings = {
    grant:
      fields.word("grant", ["authorization_code", "client_credentials"]) === "client_credentials"
        ? "client-credentials"
        : "authorization-code",
    isConfigured: server.has("oauth"),
    clientId: fields.text("client_id", ""),
    clientSecret: fields.text("client_secret", ""),
    scope: fields.text("scope", ""),
    issuer: fields.text("issuer", ""),
    redirectPort: fields.whole("redirect_port", 0, 65_535),
  };
  const { grant, clientId, clientSecret, issuer } = settings;
  if (grant === "client-credentials" && (clientId === "" || clientSecret === ""))
    throw new Error(`${fields.place} needs client_id and client_secret for client_credentials`);
  // The server itself says which authorization server it trusts: without a name of ours it could have the secret sent anywhere.
  if (clientSecret !== "" && issuer === "")
    throw new Error(
      `${fields.place}.issuer must name the authorization server that may see the client_secret, as in https://auth.example.com`,
    );
  return settings;
}

function expandAll(
  texts: Readonly<Record<string, string>>,
  place: string,
  environment: Environment,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [
      name,
      expandVariables(text, `${place}.${name}`, environment),
    ]),
  );
}

function checkHeaders(
  headers: Readonly<Record<string, string>>,
  place: string,
): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(headers)) {
    try {
      new Headers().set(name, value);
    } catch {
      // The library's own words would quote the value.
      throw new Error(`${place}.${name.slice(0, 100)} cannot be sent as a header`);
    }
  }
  return headers;
}

function isOnThisMachine(place: ServerPlace): boolean {
  if (place.kind === "command") return true;
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(place.url.hostname);
}
