import { createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { ProviderError } from "../base/errors.ts";
import type { ProviderFailureReason } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import type { Model, ModelReply, ModelRequest } from "../domain/model.ts";
import type { Provider } from "./create-providers.ts";

export interface ModelCall {
  /** Ranked; tried in this order. */
  readonly models: readonly Model[];
  readonly request: ModelRequest;
  readonly signal: AbortSignal;
  /** A piece of the answer. */
  readonly onText: (delta: string) => void;
  /** What `onText` was given so far came from an attempt that failed; what follows replaces it. */
  readonly onReset: () => void;
  /** The model that is asked next. */
  readonly onModel: (model: Model) => void;
}

/**
 * Asks the first model that answers. The text of two attempts is never joined: `onReset` stands between them.
 * @throws ProviderError of the most telling failure once every candidate failed, or `cancelled` when `signal` aborts.
 */
export type ModelCaller = (call: ModelCall) => Promise<ModelReply>;

export interface ModelCallerOptions {
  readonly providers: readonly Provider[];
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: () => number;
}

/** What is worth trying after a failure. A wait may help; another key or model may; or nothing will. */
type NextStep = "retry" | "next-credential" | "next-model" | "stop";

interface ModelFailure {
  readonly model: Model;
  readonly attempts: number;
  readonly error: ProviderError;
}

/** Keys of one provider tried for one call to one model. */
const maxCredentials = 3;

export function createModelCaller(options: ModelCallerOptions): ModelCaller {
  const { clock, log, random = Math.random } = options;
  const providers = new Map(options.providers.map((provider) => [provider.name, provider]));

  /** Walks the credentials and attempts of one model; the failure is a value, the caller decides what follows. */
  const tryModel = async (call: ModelCall, model: Model): Promise<ModelReply | ModelFailure> => {
    const provider = providers.get(model.provider);
    if (provider === undefined) {
      const message = `${model.name}: no provider named "${model.provider}" is configured under models.providers`;
      return {
        model,
        attempts: 0,
        error: new ProviderError(message, { reason: "unreachable", model: model.name }),
      };
    }
    const { retry } = provider;
    const credentials = provider.credentials.slice(0, maxCredentials);
    const backoff = createBackoff({
      initialMs: retry.initialDelayMs,
      maxMs: retry.maxDelayMs,
      jitter: 0.5,
      random,
    });
    const startedAtMs = clock.now();
    let retries = 0;
    for (let attempts = 1; ; attempts += 1) {
      let error: ProviderError;
      try {
        return await attempt(call, model, provider, credentials[0]);
      } catch (caught) {
        error = toProviderError(caught, model);
      }
      if (call.signal.aborted) throw toCancelled(model);
      const step = toNextStep(error, credentials.length > 1);
      if (step === "next-credential") {
        credentials.shift();
        log.warn(
          { model: model.name, reason: error.reason },
          "model call failed, trying the next credential",
        );
        continue;
      }
      const waitMs = Math.max(backoff.nextMs(), error.retryAfterMs ?? 0);
      const isTooLate =
        waitMs > retry.maxDelayMs || clock.now() - startedAtMs + waitMs > retry.maxTotalMs;
      retries += 1;
      if (step !== "retry" || retries >= retry.maxAttempts || isTooLate)
        return { model, attempts, error };
      log.warn(
        { model: model.name, reason: error.reason, waitMs },
        "model call failed, trying again",
      );
      await clock.sleep(waitMs, call.signal);
      if (call.signal.aborted) throw toCancelled(model);
    }
  };

  return async (call) => {
    const failures: ModelFailure[] = [];
    for (const model of call.models) {
      if (call.signal.aborted) throw toCancelled(model);
      call.onModel(model);
      const outcome = await tryModel(call, model);
      if ("text" in outcome) return outcome;
      failures.push(outcome);
      const { error, attempts } = outcome;
      log.warn(
        { model: model.name, reason: error.reason, attempts, err: error },
        "model gave no answer",
      );
      if (toNextStep(error, false) === "stop") break;
    }
    throw toFinalError(failures);
  };
}

/** One attempt whose text can be taken back and which ends at once with `signal`, whatever the adapter does. */
async function attempt(
  call: ModelCall,
  model: Model,
  provider: Provider,
  credential: Secret | undefined,
): Promise<ModelReply> {
  const { request, signal } = call;
  let isOpen = true;
  let hasText = false;
  const onText = (delta: string): void => {
    if (!isOpen || signal.aborted) return;
    hasText = true;
    call.onText(delta);
  };
  let stopWaiting = (): void => undefined;
  const cancelled = new Promise<never>((_resolve, reject) => {
    const onAbort = (): void => reject(toCancelled(model));
    signal.addEventListener("abort", onAbort, { once: true });
    stopWaiting = () => signal.removeEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([
      provider.adapter.stream({ model, request, credential, signal, onText }),
      cancelled,
    ]);
  } catch (error) {
    if (hasText && !signal.aborted) call.onReset();
    throw error;
  } finally {
    isOpen = false;
    stopWaiting();
  }
}

function toNextStep(error: ProviderError, hasOtherCredential: boolean): NextStep {
  switch (error.reason) {
    case "rate-limited":
      return hasOtherCredential ? "next-credential" : "retry";
    case "unauthorized":
    case "billing":
      return hasOtherCredential ? "next-credential" : "next-model";
    case "overloaded":
    case "unreachable":
    case "timed-out":
    case "broken-stream":
      return "retry";
    case "invalid-request":
      // The request itself is at fault with 400 and 422; anything else (no such model, wrong path) is this model's own.
      return error.status === 400 || error.status === 422 ? "stop" : "next-model";
    case "context-too-long":
    case "content-filtered":
    case "cancelled":
      return "stop";
  }
}

/** From what somebody can act on to what may pass by itself. */
const tellingOrder: readonly ProviderFailureReason[] = [
  "cancelled",
  "context-too-long",
  "content-filtered",
  "billing",
  "unauthorized",
  "invalid-request",
  "rate-limited",
  "overloaded",
  "timed-out",
  "broken-stream",
  "unreachable",
];

function toFinalError(failures: readonly ModelFailure[]): ProviderError {
  const ranked = [...failures].sort(
    (a, b) => tellingOrder.indexOf(a.error.reason) - tellingOrder.indexOf(b.error.reason),
  );
  const telling = ranked[0];
  if (telling === undefined) {
    const message = "No model is configured for this request; set routing.primary.";
    return new ProviderError(message, { reason: "invalid-request", model: "" });
  }
  const tried = failures.slice(0, 10).map(({ error, attempts }) => {
    return `${error.message} [${attempts} ${attempts === 1 ? "attempt" : "attempts"}]`;
  });
  const { reason, model, status, retryAfterMs } = telling.error;
  const message = `No model answered. Tried: ${tried.join("; ")}`;
  return new ProviderError(message, { reason, model, status, retryAfterMs, cause: telling.error });
}

function toCancelled(model: Model): ProviderError {
  return new ProviderError(`${model.name}: the call was cancelled`, {
    reason: "cancelled",
    model: model.name,
  });
}

/** An adapter that breaks its contract is treated like a server that breaks off. */
function toProviderError(error: unknown, model: Model): ProviderError {
  if (error instanceof ProviderError) return error;
  const message = `${model.name}: the model adapter failed unexpectedly`;
  return new ProviderError(message, { reason: "broken-stream", model: model.name, cause: error });
}
