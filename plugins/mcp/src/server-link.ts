import { setTimeout as sleep } from "node:timers/promises";
import type {
  CallToolResult,
  Client,
  GetPromptResult,
  Prompt,
  ReadResourceResult,
  RequestOptions,
  Resource,
  Tool,
} from "@modelcontextprotocol/client";
import { SdkError, SdkErrorCode, SdkHttpError } from "@modelcontextprotocol/client";
import type { Connection, ConnectOptions } from "./connect.ts";
import { connect } from "./connect.ts";
import type { OfferCache } from "./offer-cache.ts";
import { NeedsSignIn } from "./oauth/needs-sign-in.ts";
import type { SignIn } from "./oauth/sign-in.ts";
import type { ServerEntry } from "./server-entry.ts";
import type { CallHeaders } from "./server-fetch.ts";

/** What a server offers, as far as it has said so; kept while it is away. */
export interface Offer {
  readonly tools: readonly Tool[];
  readonly hasResources: boolean;
  readonly hasPrompts: boolean;
  /** Whether somebody has to sign in before there is more. */
  readonly needsSignIn: boolean;
  readonly instructions: string;
}

/** One server over all its connections. */
export interface ServerLink extends AsyncDisposable {
  readonly entry: ServerEntry;
  readonly signIn: SignIn | undefined;
  readonly offer: () => Offer;
  /** Resolves when the first attempt to reach it has succeeded or failed. Never rejects. */
  readonly settled: Promise<void>;
  /** All reject with an Error in words for the model, at once when the server is away. */
  readonly callTool: (
    tool: Tool,
    args: Record<string, unknown>,
    call: LinkCall,
  ) => Promise<CallToolResult>;
  readonly listResources: (
    cursor: string | undefined,
    call: LinkCall,
  ) => Promise<ListPage<Resource>>;
  readonly readResource: (uri: string, call: LinkCall) => Promise<ReadResourceResult>;
  readonly listPrompts: (cursor: string | undefined, call: LinkCall) => Promise<ListPage<Prompt>>;
  readonly getPrompt: (
    name: string,
    args: Record<string, string>,
    call: LinkCall,
  ) => Promise<GetPromptResult>;
}

export interface ListPage<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | undefined;
}

export interface LinkCall {
  readonly signal: AbortSignal;
  readonly headers: CallHeaders;
}

export interface ServerLinkOptions extends Omit<ConnectOptions, "onListChanged" | "signal"> {
  readonly signIn: SignIn | undefined;
  readonly cache: OfferCache;
  /** What the server offers has changed. */
  readonly onChange: () => void;
  /** Aborts when somebody has signed in: the server is tried again at once. Asked anew for each wait. */
  readonly signedIn: () => AbortSignal;
}

const firstRetryMs = 1_000;
const lastRetryMs = 60_000;
/** After this long without a failure the next one counts as the first. */
const goodAfterMs = 60_000;
const maxPages = 50;
/** Of all tools of a server with their schemas: several servers share the memory of the bridge. */
const maxListedLength = 8 * 1_024 * 1_024;
/** A server that changes its list again and again is asked again no sooner than this. */
const refreshPauseMs = 1_000;
const maxCallsAtOnce = 64;
/** Longest time of one call, however much progress it reports. */
const maxCallMs = 3_600_000;
const progressLogMs = 5_000;
const maxErrorLength = 2_000;
const connectPatienceMs = 10_000;

const nothing: Offer = {
  tools: [],
  hasResources: false,
  hasPrompts: false,
  needsSignIn: false,
  instructions: "",
};

export function createServerLink(options: ServerLinkOptions): ServerLink {
  const { entry, http, signIn, cache, log, onChange } = options;
  const { name } = entry;
  const ending = new AbortController();
  const first = Promise.withResolvers<void>();
  let offer: Offer = { ...nothing, ...cache.read() };
  let connection: Connection | undefined;
  let problem = "it is being connected to";
  let isStarting = true;
  let calls = 0;
  let lost = new AbortController();
  const waiting: (() => void)[] = [];

  const change = (next: Offer): void => {
    offer = next;
    onChange();
  };

  const refresh = async (client: Client): Promise<void> => {
    const capabilities = client.getServerCapabilities() ?? {};
    const tools = capabilities.tools === undefined ? [] : await listTools(client);
    const told = {
      tools,
      hasResources: capabilities.resources !== undefined,
      hasPrompts: capabilities.prompts !== undefined,
    };
    cache.write(told);
    change({
      ...told,
      needsSignIn: false,
      instructions: client.getInstructions() ?? "",
    });
  };

  const listTools = async (client: Client): Promise<readonly Tool[]> => {
    const tools: Tool[] = [];
    let length = 0;
    const seen = new Set<string>();
    let cursor: string | undefined;
    for (let page = 0; page < maxPages; page += 1) {
      const params = cursor === undefined ? {} : { cursor };
      const result = await client.request(
        { method: "tools/list", params },
        { timeout: entry.timeoutMs, signal: ending.signal },
      );
      const fitting = result.tools.slice(0, entry.maxTools + 1);
      length += JSON.stringify(fitting).length;
      if (length > maxListedLength) {
        log(
          `its tools are described in more than ${maxListedLength} letters; the first ones count`,
        );
        break;
      }
      tools.push(...fitting);
      cursor = result.nextCursor;
      if (tools.length > entry.maxTools) {
        log(`it offers more than ${entry.maxTools} tools; the first ones count (max_tools)`);
        break;
      }
      if (cursor === undefined || seen.has(cursor)) break;
      seen.add(cursor);
    }
    return tools.slice(0, entry.maxTools);
  };

  /** The list may change again while it is read; the last one counts. */
  let refreshing: Promise<void> | undefined;
  let isStale = false;
  const refreshSoon = (): void => {
    isStale = true;
    refreshing ??= (async () => {
      while (isStale && connection !== undefined && !ending.signal.aborted) {
        isStale = false;
        await refresh(connection.client).catch((error: unknown) =>
          log(`its tools could not be listed anew: ${toText(error)}`),
        );
        await sleep(refreshPauseMs, undefined, { signal: ending.signal }).catch(() => undefined);
      }
    })().finally(() => (refreshing = undefined));
  };

  const serve = async (): Promise<void> => {
    const opened = await connect({ ...options, onListChanged: refreshSoon, signal: ending.signal });
    try {
      lost = new AbortController();
      await refresh(opened.client);
      connection = opened;
      problem = "";
      first.resolve();
      for (const tell of waiting.splice(0)) tell();
      const server = opened.client.getServerVersion();
      log(
        `connected: ${server?.name ?? "?"} ${server?.version ?? ""}, ${offer.tools.length} tools, protocol ${opened.client.getNegotiatedProtocolVersion() ?? "?"}`,
      );
      await Promise.race([opened.closed, whenAborted(lost.signal), whenAborted(ending.signal)]);
    } finally {
      connection = undefined;
      await opened[Symbol.asyncDispose]();
    }
  };

  const run = async (): Promise<void> => {
    let delayMs = firstRetryMs;
    while (!ending.signal.aborted) {
      const startedAtMs = performance.now();
      let wake: AbortSignal | undefined;
      try {
        await serve();
        if (ending.signal.aborted) break;
        problem = "the connection was lost; it is being connected to again";
        log(problem);
      } catch (error) {
        if (ending.signal.aborted) break;
        problem = toText(error);
        log(`not available: ${problem}`);
        if (error instanceof NeedsSignIn) {
          wake = options.signedIn();
          change({ ...offer, needsSignIn: true });
          await invite();
        }
      }
      first.resolve();
      const lastedMs = performance.now() - startedAtMs;
      if (lastedMs >= goodAfterMs) delayMs = firstRetryMs;
      const waits = [ending.signal, ...(wake === undefined ? [] : [wake])];
      // Half of it is chance, so that many bridges do not come back to one server at once.
      const jittered = delayMs / 2 + (delayMs / 2) * Math.random();
      await sleep(jittered, undefined, { signal: AbortSignal.any(waits) }).catch(() => undefined);
      delayMs = wake?.aborted === true ? firstRetryMs : Math.min(delayMs * 2, lastRetryMs);
    }
    first.resolve();
  };

  /** Shows the operator where to sign in, when the configuration says that somebody will. */
  const invite = async (): Promise<void> => {
    if (entry.place.kind !== "http" || signIn === undefined) return;
    const { grant, isConfigured } = entry.place.oauth;
    if (grant === "client-credentials") return;
    if (!isConfigured) {
      log("set `oauth: {}` for this server to be shown here where to sign in");
      return;
    }
    await signIn.begin().then(
      (address) => log(`open this address in a browser to sign in: ${address}`),
      (error: unknown) => log(toText(error)),
    );
  };

  const request = async <Result>(
    { signal, headers }: LinkCall,
    ask: (client: Client, options: RequestOptions) => Promise<Result>,
  ): Promise<Result> => {
    // One that is only just starting is waited for; one that is away is not.
    const current = connection ?? (isStarting ? await waitForNext(signal) : undefined);
    if (current === undefined) throw new Error(`the server "${name}" is not available: ${problem}`);
    if (calls >= maxCallsAtOnce)
      throw new Error(`the server "${name}" is busy with ${calls} calls; try again later`);
    calls += 1;
    let loggedAtMs = Number.NEGATIVE_INFINITY;
    const requestOptions: RequestOptions = {
      signal: AbortSignal.any([signal, ending.signal]),
      timeout: entry.timeoutMs,
      maxTotalTimeout: maxCallMs,
      resetTimeoutOnProgress: true,
      onprogress: ({ progress, total, message = "" }) => {
        if (performance.now() - loggedAtMs < progressLogMs) return;
        loggedAtMs = performance.now();
        log(`progress ${progress}${total === undefined ? "" : ` of ${total}`} ${message}`.trim());
      },
    };
    const askOn = ({ client }: Connection): Promise<Result> => {
      const run = (): Promise<Result> => ask(client, requestOptions);
      return http === undefined ? run() : http.serverFetch.withHeaders(headers, run);
    };
    try {
      return await askAgainWhenForgotten(current, askOn, requestOptions.signal);
    } catch (error) {
      if (isLost(error)) lost.abort();
      throw new Error(`the server "${name}": ${toText(error)}`, { cause: error });
    } finally {
      calls -= 1;
    }
  };

  /** The next connection, when there is one soon. */
  const waitForNext = async (signal: AbortSignal | undefined): Promise<Connection | undefined> => {
    if (waiting.length >= maxCallsAtOnce) return undefined;
    const limit = new AbortController();
    const limits = [limit.signal, ...(signal === undefined ? [] : [signal])];
    await Promise.race([
      new Promise<void>((resolve) => waiting.push(resolve)),
      sleep(connectPatienceMs, undefined, { signal: AbortSignal.any(limits) }).catch(
        () => undefined,
      ),
    ]);
    limit.abort();
    return connection;
  };

  /** A server that was started anew refuses a call unheard, so asking it again does nothing twice. */
  const askAgainWhenForgotten = async <Result>(
    current: Connection,
    ask: (connection: Connection) => Promise<Result>,
    signal: AbortSignal | undefined,
  ): Promise<Result> => {
    try {
      return await ask(current);
    } catch (error) {
      if (!isForgotten(error)) throw error;
      lost.abort();
      const next = await waitForNext(signal);
      if (next === undefined) throw error;
      return ask(next);
    }
  };

  const running = run();
  void first.promise.then(() => (isStarting = false));

  return {
    entry,
    signIn,
    offer: () => offer,
    settled: first.promise,
    callTool: (tool, args, call) =>
      request(call, (client, requestOptions) =>
        client.callTool(
          { name: tool.name, arguments: args },
          { ...requestOptions, toolDefinition: tool },
        ),
      ),
    listResources: (cursor, call) =>
      request(call, async (client, requestOptions) => {
        const params = cursor === undefined ? {} : { cursor };
        const page = await client.request({ method: "resources/list", params }, requestOptions);
        return { items: page.resources, nextCursor: page.nextCursor };
      }),
    readResource: (uri, call) =>
      request(call, (client, requestOptions) =>
        client.readResource({ uri }, { ...requestOptions, cacheMode: "bypass" }),
      ),
    listPrompts: (cursor, call) =>
      request(call, async (client, requestOptions) => {
        const params = cursor === undefined ? {} : { cursor };
        const page = await client.request({ method: "prompts/list", params }, requestOptions);
        return { items: page.prompts, nextCursor: page.nextCursor };
      }),
    getPrompt: (prompt, args, call) =>
      request(call, (client, requestOptions) =>
        client.getPrompt({ name: prompt, arguments: args }, requestOptions),
      ),
    [Symbol.asyncDispose]: async () => {
      ending.abort(new Error("the bridge is being stopped"));
      signIn?.[Symbol.dispose]();
      await running;
    },
  };
}

/** Whether there is no use in asking this connection again: the session is gone, or nobody listens. */
function isLost(error: unknown): boolean {
  if (isForgotten(error)) return true;
  if (error instanceof SdkError)
    return error.code === SdkErrorCode.NotConnected || error.code === SdkErrorCode.ConnectionClosed;
  return error instanceof TypeError && error.message === "fetch failed";
}

/** Whether the server knows the session no more. */
function isForgotten(error: unknown): boolean {
  if (!(error instanceof SdkHttpError)) return false;
  return error.status === 404 || (error.status === 400 && /session/i.test(error.message));
}

function toText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error ? error.cause : undefined;
  const code =
    typeof cause === "object" && cause !== null && "code" in cause
      ? ` (${String(cause.code)})`
      : "";
  return `${message}${code}`.slice(0, maxErrorLength).toWellFormed();
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
