import { createHash } from "node:crypto";
import { join } from "node:path";
import type { AnyActionDefinition, AnyToolDefinition } from "@opentalon/plugin-sdk";
import { maxMessageBytes } from "./connect.ts";
import { toLinkActions } from "./link-actions.ts";
import { createOfferCache } from "./offer-cache.ts";
import { createSignIn } from "./oauth/sign-in.ts";
import { createTokenFile } from "./oauth/token-file.ts";
import { readConfig } from "./read-config.ts";
import type { ServerEntry, ServerPlace } from "./server-entry.ts";
import { createServerFetch } from "./server-fetch.ts";
import { createServerLink, type ServerLink } from "./server-link.ts";

export interface BridgeOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where tokens are kept and programs run. */
  readonly folder: string;
  readonly version: string;
  /** For the operator. */
  readonly log: (line: string) => void;
}

export interface Bridge {
  /** The plugin as it is now. The first time after its configuration came, the servers are waited for a little. */
  readonly describe: () => Promise<AnyToolDefinition>;
}

/** A host takes no more. */
const maxActions = 1_000;
/** All actions as they are told to the host, whose messages are bounded as well. */
const maxDescribedLength = 8 * 1_024 * 1_024;
const maxInstructionsLength = 4_000;
const maxLineLength = 500;

/** All configured servers as one plugin. */
export function createBridge({ environment, folder, version, log }: BridgeOptions): Bridge {
  let name = "mcp";
  let links: readonly ServerLink[] = [];
  let started: Promise<void> = Promise.resolve();
  let actions: Readonly<Record<string, AnyActionDefinition>> | undefined;
  let addition = "";
  const cacheFolder = environment["OPENTALON_MCP_CACHE_DIR"] ?? join(folder, "cache");

  const link = (entry: ServerEntry): ServerLink => {
    const logOf = (line: string): void =>
      log(`${entry.name}: ${toLine(line).slice(0, maxLineLength)}`);
    let signedIn = new AbortController();
    const { place } = entry;
    const serverFetch =
      place.kind === "http"
        ? createServerFetch({ url: place.url, headers: place.headers, maxBytes: maxMessageBytes })
        : undefined;
    const signIn =
      place.kind === "http" && serverFetch !== undefined
        ? createSignIn({
            name: entry.name,
            place,
            file: createTokenFile(join(folder, "oauth", `${entry.slug}.json`), place.url),
            fetch: serverFetch.plainFetch,
            hasOwnCredential: serverFetch.hasCallCredential,
            log: (line) => log(`${entry.name}: ${line}`),
            onSignedIn: () => {
              signedIn.abort();
              signedIn = new AbortController();
            },
          })
        : undefined;
    return createServerLink({
      entry,
      http: serverFetch === undefined || signIn === undefined ? undefined : { serverFetch, signIn },
      signIn,
      cache: createOfferCache(join(cacheFolder, `${entry.slug}.json`), toPlaceKey(place)),
      signedIn: () => signedIn.signal,
      folder: join(folder, "servers", entry.slug),
      environment,
      version,
      log: logOf,
      onChange: () => (actions = undefined),
    });
  };

  const configure = (config: Readonly<Record<string, unknown>>): void => {
    const read = readConfig(config, environment);
    for (const warning of read.warnings) log(warning);
    void Promise.all(links.map((old) => old[Symbol.asyncDispose]()));
    name = read.name;
    links = read.servers.map(link);
    actions = undefined;
    const patience = new Promise<void>((resolve) => setTimeout(resolve, read.startWaitMs).unref());
    started = Promise.race([
      Promise.all(links.map(({ settled }) => settled)).then(() => undefined),
      patience,
    ]);
  };

  const gather = (): Readonly<Record<string, AnyActionDefinition>> => {
    const entries = links.flatMap((each) => Object.entries(toLinkActions(each, name)));
    let length = 0;
    const fitting = entries.filter(([action, definition]) => {
      length += action.length + JSON.stringify(definition).length;
      return length <= maxDescribedLength;
    });
    const taken = fitting.slice(0, maxActions);
    if (taken.length < entries.length)
      log(`${entries.length - taken.length} of ${entries.length} actions are left out: too many`);
    return Object.fromEntries(taken);
  };

  return {
    describe: async () => {
      await started;
      if (actions === undefined) {
        actions = gather();
        addition = links.map(toInstructions).join("");
      }
      return {
        name,
        description:
          `Tools of other programs (Model Context Protocol): ${links.map(({ entry }) => entry.name).join(", ")}`.slice(
            0,
            1_000,
          ),
        actions,
        systemPromptAddition: addition,
        onConfigure: configure,
        onStop: async () => {
          await Promise.all(links.map((each) => each[Symbol.asyncDispose]()));
        },
      };
    },
  };
}

/** Which server it is, without what its address or its arguments may hold of secrets. */
function toPlaceKey(place: ServerPlace): string {
  const parts =
    place.kind === "http" ? [place.url.href] : [place.command, ...place.args, place.cwd];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function toInstructions({ entry, offer }: ServerLink): string {
  const { instructions } = offer();
  if (!entry.useInstructions || instructions === "") return "";
  return `${entry.name}: ${instructions.slice(0, maxInstructionsLength).toWellFormed()}\n`;
}

/** A server's words must not look like further lines of a log. */
function toLine(text: string): string {
  return text.replaceAll(/\s*[\p{Cc}\u2028\u2029]+\s*/gu, " ");
}
