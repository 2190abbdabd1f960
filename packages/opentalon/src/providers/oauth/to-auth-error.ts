import { AuthError, toMessage } from "../../base/errors.ts";
import { isRecord, quote } from "../wire/classify-failure.ts";
import { OversizedAnswerError } from "./oauth-fetch.ts";

/** What only a new sign-in mends. */
const overCodes: ReadonlySet<string> = new Set(["invalid_grant", "expired_token"]);

/**
 * What the library throws carries whole answers, tokens among them: only the words the server meant for people leave
 * this place, and never the error itself.
 */
export function toAuthError(name: string, error: unknown): AuthError {
  if (error instanceof AuthError) return error;
  const refusal = findRefusal(error);
  if (refusal !== undefined) {
    const { code, description } = refusal;
    const words = description === "" ? code : `${code}: ${description}`;
    const message = `provider ${name}: the authorization server refused (${words})`;
    return new AuthError(overCodes.has(code) ? "AUTH_EXPIRED" : "AUTH_REFUSED", message);
  }
  return new AuthError(
    "AUTH_UNREACHABLE",
    `provider ${name}: the authorization server ${toComplaint(error)}`,
  );
}

/** The standard's word for a refusal, for example `invalid_grant`; `undefined` when the error is something else. */
export function findRefusal(
  error: unknown,
): { readonly code: string; readonly description: string } | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, error: word, error_description: words } = error as Error & Record<string, unknown>;
  switch (code) {
    case "OAUTH_RESPONSE_BODY_ERROR":
    case "OAUTH_AUTHORIZATION_RESPONSE_ERROR":
      return { code: toWord(word), description: quote(toText(words), undefined) };
    case "OAUTH_WWW_AUTHENTICATE_CHALLENGE":
      return { code: "invalid_client", description: "" };
    default:
      return undefined;
  }
}

/** The word for a refusal in an answer that is still to be read. */
export async function toRefusalCode(response: Response): Promise<string | undefined> {
  if (response.ok) return undefined;
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  return isRecord(body) && typeof body["error"] === "string" ? toWord(body["error"]) : undefined;
}

function toComplaint(error: unknown): string {
  if (error instanceof OversizedAnswerError) return "sent more than any answer can hold";
  const { code, cause } = (error instanceof Error ? error : {}) as Record<string, unknown>;
  if (code === "OAUTH_HTTP_REQUEST_FORBIDDEN") {
    return "has an address without https, which is only allowed on this machine itself";
  }
  const inner = isRecord(cause) && typeof cause["code"] === "string" ? cause["code"] : "";
  if (error instanceof TypeError && code === undefined) {
    return `could not be reached${inner === "" ? "" : ` (${quote(inner, undefined)})`}`;
  }
  if (code === "OAUTH_RESPONSE_IS_NOT_JSON") return "answered without JSON; check its addresses";
  if (cause instanceof Response) return `answered with status ${cause.status} and nothing to go by`;
  // The library's own words name what was missing; values are not among them.
  return `sent an answer that makes no sense (${quote(toMessage(error), undefined)})`;
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function toWord(value: unknown): string {
  const text = toText(value);
  return /^[\w.-]{1,60}$/.test(text) ? text : "unknown_error";
}
