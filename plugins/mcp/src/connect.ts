import type { JsonSchemaValidatorResult, Transport } from "@modelcontextprotocol/client";
import {
  Client,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  SSEClientTransport,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { createCommandTransport } from "./command-transport.ts";
import { NeedsSignIn } from "./oauth/needs-sign-in.ts";
import type { SignIn } from "./oauth/sign-in.ts";
import type { HttpPlace, ServerEntry } from "./server-entry.ts";
import type { ServerFetch } from "./server-fetch.ts";

/** A server that has introduced itself. */
export interface Connection extends AsyncDisposable {
  readonly client: Client;
  /** Resolves when it can no longer be spoken to. */
  readonly closed: Promise<void>;
}

export interface ConnectOptions {
  readonly entry: ServerEntry;
  /** Only for servers reached over HTTP. */
  readonly http: { readonly serverFetch: ServerFetch; readonly signIn: SignIn } | undefined;
  /** Folder a program runs in. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly log: (line: string) => void;
  /** The server says that what it offers has changed. */
  readonly onListChanged: () => void;
  readonly signal: AbortSignal;
}

/** Longest message of a server. */
export const maxMessageBytes = 8 * 1_024 * 1_024;

const connectTimeoutMs = 60_000;
/** How long a server may think about the newer handshake: a program is given the older one then, a server at an address is down. */
const probeTimeoutsMs = { command: 2_000, http: 15_000 };

/**
 * Connects to a server: by its newest protocol where it has that, the older ones otherwise; over streamable HTTP, and
 * over SSE where the server refuses that.
 * @throws NeedsSignIn, Error; nothing is left open then.
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { place } = options.entry;
  if (place.kind === "command") {
    const toTransport = (): Transport =>
      createCommandTransport({
        place,
        folder: options.folder,
        environment: options.environment,
        maxBytes: maxMessageBytes,
        onLine: options.log,
      });
    try {
      return await open(toTransport(), "auto", options);
    } catch (error) {
      // Servers of the older kind may end at a question from before their time.
      if (!isClosed(error) || options.signal.aborted) throw error;
      return open(toTransport(), "legacy", options);
    }
  }
  if (place.transport === "sse") return open(toSseTransport(place, options), "legacy", options);
  try {
    return await open(toHttpTransport(place, options), "auto", options);
  } catch (error) {
    if (place.transport === "http" || !isRefused(error)) throw error;
    return open(toSseTransport(place, options), "legacy", options).catch((older: unknown) => {
      throw older instanceof NeedsSignIn ? older : error;
    });
  }
}

async function open(
  transport: Transport,
  mode: "auto" | "legacy",
  { entry, version, log, onListChanged, signal }: ConnectOptions,
): Promise<Connection> {
  const closed = Promise.withResolvers<void>();
  const onChanged = (): void => onListChanged();
  const changed = { autoRefresh: false, onChanged };
  const client = new Client(
    { name: "opentalon", version },
    {
      versionNegotiation: { mode, probe: { timeoutMs: probeTimeoutsMs[entry.place.kind] } },
      listChanged: { tools: changed, prompts: changed, resources: changed },
      // What comes back is data whatever it claims to be, and a schema from elsewhere is not worth being run.
      jsonSchemaValidator: { getValidator: () => (input) => acceptAnything(input) },
    },
  );
  Object.assign(client, {
    onclose: closed.resolve,
    onerror: (error: Error) => log(toMessage(error)),
  });
  try {
    await client.connect(transport, { timeout: connectTimeoutMs, signal });
  } catch (error) {
    await closeQuietly(client, transport);
    throw error;
  }
  return {
    client,
    closed: closed.promise,
    [Symbol.asyncDispose]: () => closeQuietly(client, transport),
  };
}

function acceptAnything<Value>(input: unknown): JsonSchemaValidatorResult<Value> {
  return { valid: true, data: input as Value, errorMessage: undefined };
}

async function closeQuietly(client: Client, transport: Transport): Promise<void> {
  if (transport instanceof StreamableHTTPClientTransport) {
    await Promise.race([transport.terminateSession().catch(() => undefined), briefly()]);
  }
  await client.close().catch(() => undefined);
  // A client that never connected does not close what it was handed.
  await transport.close().catch(() => undefined);
}

function briefly(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1_000).unref());
}

function toHttpTransport({ url }: HttpPlace, { http }: ConnectOptions): Transport {
  if (http === undefined) throw new Error("a server at an address needs requests");
  return new StreamableHTTPClientTransport(url, {
    fetch: http.serverFetch.fetch,
    authProvider: http.signIn.authProvider,
  });
}

function toSseTransport({ url }: HttpPlace, { http }: ConnectOptions): Transport {
  if (http === undefined) throw new Error("a server at an address needs requests");
  // oxlint-disable-next-line typescript/no-deprecated -- servers of the older kind are still there
  return new SSEClientTransport(url, {
    fetch: http.serverFetch.fetch,
    authProvider: http.signIn.authProvider,
  });
}

function isRefused(error: unknown): boolean {
  if (!(error instanceof SdkHttpError)) return false;
  const { status } = error;
  return status >= 400 && status < 500 && status !== 401 && status !== 403;
}

function isClosed(error: unknown): boolean {
  return (
    (error instanceof SdkError &&
      (error.code === SdkErrorCode.ConnectionClosed ||
        error.code === SdkErrorCode.EraNegotiationFailed)) ||
    /ended|closed|EPIPE/i.test(toMessage(error))
  );
}

function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
