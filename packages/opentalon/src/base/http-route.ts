/** A request the HTTP door has read completely, within its bounds. */
export interface HttpRequest {
  readonly method: string;
  /** The path as it was asked for, without the query. */
  readonly path: string;
  /** Path and query as the client wrote them. */
  readonly target: string;
  /** Values of the `:names` in the route's path, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  /** First value of a query parameter. */
  readonly query: (name: string) => string | undefined;
  /** Value of a header, by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** All headers by their lower-case names, but for what proved the caller to the door. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /**
   * The door knows the caller: it sent the door's token, or it is a program on this machine and the door is closed to
   * others, or the operator said that somebody else checks callers.
   */
  readonly isTrusted: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  readonly body: string | Uint8Array | ReadableStream<Uint8Array>;
}

/** One thing the HTTP door does for others: how stages offer it without knowing an HTTP library. */
export interface HttpRoute {
  /** `*` takes every method. */
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "*";
  /**
   * Fixed segments and `:names`, each name one segment: `/api/channels/:channel/inbound`. With `/*` at the end it takes
   * everything below.
   */
  readonly path: string;
  /** `door`: only trusted callers get in. `own`: everybody gets in and the route checks the caller itself. */
  readonly authentication: "door" | "own";
  /** Largest body it takes, where that is more than the door's own limit. */
  readonly maxBodyBytes?: number;
  /** A rejection is logged and answered with 500, without its text. */
  readonly handle: (request: HttpRequest) => Promise<HttpAnswer>;
}

export function toJsonAnswer(
  status: number,
  value: unknown,
  headers?: Readonly<Record<string, string>>,
): HttpAnswer {
  return { status, contentType: "application/json", headers, body: JSON.stringify(value) };
}
