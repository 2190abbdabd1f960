import { StoreError, toMessage } from "../base/errors.ts";

const diskFull = "53100";
/** Classes of SQLSTATE, or whole codes, after which the server may well be back later. */
const unreachable = /^(?:08|57P0|53300)/;
const refused = /^(?:28|3D000)/;
const corrupt = /^XX00[12]/;

/** Errors of sockets, by their code in Node. */
const socketCode = /^E[A-Z_]+$/;
/** What the driver says without a code. */
const brokenConnection =
  /connection terminated|connection ended|not queryable|timeout exceeded|query read timeout/i;

/** Whether the connection an error came over must not be used again. */
export function isConnectionBroken(error: unknown): boolean {
  const code = toCode(error);
  if (code !== undefined) return unreachable.test(code) || socketCode.test(code);
  return error instanceof Error && brokenConnection.test(error.message);
}

/** What the driver threw, as an error that says what to do; what is no matter of the database comes back as it is. */
export function toPostgresError(error: unknown, place: string): unknown {
  if (error instanceof StoreError) return error;
  const code = toCode(error);
  if (isConnectionBroken(error)) {
    const advice =
      "check that the server runs and can be reached; OpenTalon goes on by itself once it can";
    return new StoreError(
      "STORE_UNREACHABLE",
      `PostgreSQL at ${place}: ${describe(error)}; ${advice}`,
      { cause: error },
    );
  }
  if (code === undefined) return error;
  if (refused.test(code)) {
    const advice = "check user, password and database of the connection";
    return new StoreError(
      "STORE_UNREACHABLE",
      `PostgreSQL at ${place} refuses: ${describe(error)}; ${advice}`,
      { cause: error },
    );
  }
  if (code === diskFull) {
    const advice = "nothing of this was stored; free some space and it goes on by itself";
    return new StoreError("STORE_FULL", `PostgreSQL at ${place} has no space left; ${advice}`, {
      cause: error,
    });
  }
  if (corrupt.test(code)) {
    return new StoreError(
      "STORE_CORRUPT",
      `PostgreSQL at ${place} reports damaged data (${describe(error)}); restore a backup`,
      {
        cause: error,
      },
    );
  }
  return new StoreError("STORE_FAILED", `PostgreSQL at ${place}: ${describe(error)}`, {
    cause: error,
  });
}

function toCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && code !== "" ? code : undefined;
}

/** Some errors of sockets have no message, only a code. */
function describe(error: unknown): string {
  return toMessage(error) || (toCode(error) ?? "no connection");
}
