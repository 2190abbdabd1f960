import { AuthError, ProviderError, toMessage } from "../../base/errors.ts";
import type { Secret } from "../../base/secret.ts";
import type { Model, ModelReply } from "../../domain/model.ts";
import type { CredentialLease } from "../credentials/credentials.ts";

/** How a call with a credential ended that had to be got ready first. */
export type LeaseOutcome =
  | { readonly kind: "answered"; readonly reply: ModelReply }
  /** There was nothing to send; the model was not asked. */
  | { readonly kind: "not-taken"; readonly error: ProviderError };

export interface LeaseAttempt {
  readonly lease: CredentialLease;
  readonly model: Model;
  readonly signal: AbortSignal;
  /** One attempt with what the lease gave. */
  readonly run: (credential: Secret | undefined) => Promise<ModelReply>;
}

/**
 * Runs one attempt with what the lease gives, and one more when that was refused and has another value: a token may end
 * before its time. Rejects as the attempt does.
 */
export async function attemptWithLease(options: LeaseAttempt): Promise<LeaseOutcome> {
  const { lease, model, signal, run } = options;
  let credential: Secret | undefined;
  try {
    credential = await lease.take(signal);
  } catch (error) {
    return { kind: "not-taken", error: toTakeError(error, model) };
  }
  try {
    return { kind: "answered", reply: await run(credential) };
  } catch (error) {
    const isRefused =
      error instanceof ProviderError && error.reason === "unauthorized" && error.status !== 403;
    if (!isRefused || credential === undefined || signal.aborted) throw error;
    const other = await lease.replace(credential, signal);
    if (other === undefined) throw error;
    return { kind: "answered", reply: await run(other) };
  }
}

/** An authorization server that is away says nothing about the credential, which must not rest longer each time. */
const awayMs = 30_000;

function toTakeError(error: unknown, { name }: Model): ProviderError {
  const isAway = error instanceof AuthError && error.code === "AUTH_UNREACHABLE";
  const reason = isAway ? "unreachable" : "unauthorized";
  const retryAfterMs = isAway ? awayMs : undefined;
  return new ProviderError(`${name}: ${toMessage(error)}`, { reason, model: name, retryAfterMs });
}
