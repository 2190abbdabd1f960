export interface MatrixErrorDetails {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Such as `M_FORBIDDEN`; empty when the homeserver gave none. */
  readonly code?: string;
  /** How long the homeserver asked us to wait. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** A request that the homeserver refused or did not answer. The message says which, and holds no token. */
export class MatrixError extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { status, code = "", retryAfterMs, cause }: MatrixErrorDetails) {
    super(message, { cause });
    this.name = "MatrixError";
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The same request may well succeed later: no answer, a server in trouble, too many requests. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof MatrixError)) return false;
  const { status } = error;
  return status === 0 || status === 408 || status === 429 || status >= 500;
}

/** The access token is worth nothing any more. */
export function isSignedOut(error: unknown): boolean {
  return (
    error instanceof MatrixError &&
    error.status === 401 &&
    (error.code === "M_UNKNOWN_TOKEN" || error.code === "M_MISSING_TOKEN")
  );
}

/** It would be refused again, and not because of who asks. */
export function isFinal(error: unknown): boolean {
  return error instanceof MatrixError && !isPassing(error) && !isSignedOut(error);
}

export function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
