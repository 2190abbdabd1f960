import { member, toCount, toText } from "./read-json.ts";
import { MatrixError } from "./matrix-error.ts";

export interface HomeserverRequest {
  readonly method: "GET" | "POST" | "PUT";
  /** Parts of the path; each is escaped. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  /** Body as JSON. */
  readonly json?: unknown;
  /** Body as bytes. */
  readonly bytes?: { readonly data: Uint8Array; readonly mimeType: string };
  readonly timeoutMs?: number;
  /** Longest answer that is read. */
  readonly maxBytes?: number;
  readonly signal: AbortSignal;
  /** Asked without the token. */
  readonly isOpen?: boolean;
  /** The answer may be elsewhere. The token does not go there. */
  readonly followsRedirects?: boolean;
}

export interface HomeserverAnswer {
  readonly mimeType: string;
  readonly data: Uint8Array;
}

/** One homeserver over HTTP, in the name of one user. */
export interface Homeserver {
  /** The answer as JSON. @throws MatrixError */
  readonly ask: (request: HomeserverRequest) => Promise<unknown>;
  /** The answer as it is. @throws MatrixError */
  readonly load: (request: HomeserverRequest) => Promise<HomeserverAnswer>;
}

export interface HomeserverOptions {
  readonly url: URL;
  readonly token: () => string;
  readonly fetch: typeof fetch;
}

const usualTimeoutMs = 20_000;
const usualMaxBytes = 8 * 1024 * 1024;
const maxErrorBytes = 16 * 1024;

export function createHomeserver({ url, token, fetch }: HomeserverOptions): Homeserver {
  const load = async (request: HomeserverRequest): Promise<HomeserverAnswer> => {
    const { method, timeoutMs = usualTimeoutMs, maxBytes = usualMaxBytes, signal } = request;
    const target = toTarget(url, request);
    // Identifiers in paths are no secrets; tokens stand in headers only.
    const what = `${method} ${target.pathname}`;
    const limit = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(target, {
        method,
        headers: toHeaders(request, token),
        body:
          request.bytes?.data ?? (request.json === undefined ? null : JSON.stringify(request.json)),
        redirect: request.followsRedirects === true ? "follow" : "error",
        signal: AbortSignal.any([signal, limit]),
      });
      if (!response.ok) throw await toRefusal(response, what);
      const data = await readWithin(response, maxBytes, what);
      return { data, mimeType: toMimeType(response) };
    } catch (error) {
      if (error instanceof MatrixError) throw error;
      const why = limit.aborted ? `no answer within ${timeoutMs / 1_000} s` : toReason(error);
      throw new MatrixError(`${what} at ${url.host}: ${why}`, { status: 0, cause: error });
    }
  };
  return {
    load,
    ask: async (request) => {
      const { data } = await load(request);
      try {
        return JSON.parse(new TextDecoder().decode(data)) as unknown;
      } catch {
        const what = `${request.method} /${request.path.join("/")}`;
        throw new MatrixError(`${what} at ${url.host}: the answer is not JSON`, { status: 502 });
      }
    },
  };
}

function toTarget(url: URL, { path, query = {} }: HomeserverRequest): URL {
  const target = new URL(url);
  // A part like `..` would lead elsewhere, escaped or not.
  const parts = path.map((part) => (/^\.{1,2}$/.test(part) ? "%252E" : encodeURIComponent(part)));
  target.pathname = `${url.pathname.replace(/\/+$/, "")}/${parts.join("/")}`;
  target.search = new URLSearchParams(query).toString();
  return target;
}

function toHeaders(
  { isOpen = false, json, bytes }: HomeserverRequest,
  token: () => string,
): Record<string, string> {
  return {
    accept: "application/json",
    ...(isOpen ? {} : { authorization: `Bearer ${token()}` }),
    ...(json === undefined ? {} : { "content-type": "application/json" }),
    ...(bytes === undefined ? {} : { "content-type": bytes.mimeType }),
  };
}

async function readWithin(response: Response, maxBytes: number, what: string): Promise<Buffer> {
  const tooLong = (): MatrixError =>
    new MatrixError(`${what}: the answer is longer than ${maxBytes} bytes`, {
      status: 413,
      code: "M_TOO_LARGE",
    });
  if (Number(response.headers.get("content-length") ?? 0) > maxBytes) {
    await response.body?.cancel();
    throw tooLong();
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** The error of a homeserver, or of a proxy before it. */
async function toRefusal(response: Response, what: string): Promise<MatrixError> {
  const { status } = response;
  const text = await readWithin(response, maxErrorBytes, what).then(
    (data) => data.toString("utf8"),
    () => "",
  );
  const said = toJson(text);
  const code = toText(member(said, "errcode"));
  const words = toText(member(said, "error")).slice(0, 300).toWellFormed();
  const why = [code, words].filter((part) => part !== "").join(" ");
  const retryAfterMs = status === 429 ? toRetryAfterMs(response, said) : undefined;
  return new MatrixError(`${what}: status ${status}${why === "" ? "" : `, ${why}`}`, {
    status,
    code,
    retryAfterMs,
  });
}

/** The header is what counts since version 1.10 of the specification; older homeservers say it in the body. */
function toRetryAfterMs(response: Response, said: unknown): number | undefined {
  const header = response.headers.get("retry-after") ?? "";
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1_000;
  return toCount(member(said, "retry_after_ms"));
}

function toMimeType(response: Response): string {
  return (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What `fetch` says is "fetch failed"; why stands in the cause. */
function toReason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = toText(member(cause, "code"));
  if (code !== "") return code;
  if (cause instanceof Error && cause.message !== "") return cause.message;
  return error instanceof Error ? error.message : String(error);
}
