import { createBackoff } from "../base/backoff.ts";
import type { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { ProviderError } from "../base/errors.ts";
import type { ProviderFailureReason } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import type { Model, ModelReply, ModelRequest } from "../domain/model.ts";
import type { Provider } from "./create-providers.ts";
import type { CredentialPools } from "./credential-pools.ts";
import type { CredentialPool } from "./credentials.ts";

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
  readonly pools: CredentialPools;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: () => number;
}

/** What is worth trying after a failure: another key, the same model after a wait, only other models, or nothing. */
type NextStep = "next-credential" | "retry" | "next-model" | "stop";

/** One ranked model and how it fares within a call. */
interface Candidate {
  readonly model: Model;
  readonly provider: Provider;
  readonly pool: CredentialPool;
  readonly backoff: Backoff;
  /** Positions of the keys that were tried in this round. */
  readonly tried: Set<number>;
  attempts: number;
  /** Rounds over all models in which this one was asked. */
  rounds: number;
  /** Not asked again before this moment. */
  readyAtMs: number;
  isOver: boolean;
  error: ProviderError | undefined;
}

interface ModelFailure {
  readonly attempts: number;
  readonly error: ProviderError;
}

/** Pauses on the way to the next key or model; those of one call together stay below the total. */
const passing = { initialMs: 20, maxMs: 80, totalMs: 200 } as const;

/**
 * Gets: ranked models. Gives: the reply of the first that answers: each model with one key after the other, and all of
 * them once more after a wait that may help. Never: text of two attempts in one answer, or a call with a key that rests.
 */
export function createModelCaller(options: ModelCallerOptions): ModelCaller {
  const { pools, clock, log, random = Math.random } = options;
  const providers = new Map(options.providers.map((provider) => [provider.name, provider]));

  const toCandidate = (model: Model): Candidate | ModelFailure => {
    const provider = providers.get(model.provider);
    const pool = pools.of(model.provider);
    if (provider === undefined || pool === undefined) {
      const message = `${model.name}: no provider named "${model.provider}" is configured under models.providers`;
      const error = new ProviderError(message, { reason: "unreachable", model: model.name });
      return { attempts: 0, error };
    }
    const { initialDelayMs: initialMs, maxDelayMs: maxMs } = provider.retry;
    const backoff = createBackoff({ initialMs, maxMs, jitter: 0.5, random });
    const start = { attempts: 0, rounds: 0, readyAtMs: 0, isOver: false, error: undefined };
    return { model, provider, pool, backoff, tried: new Set(), ...start };
  };

  /** One call's way over the candidates. */
  const createWalk = (call: ModelCall) => {
    const { signal, request } = call;
    const passBackoff = createBackoff({ ...passing, jitter: 0.5, random });
    let passMs: number = passing.totalMs;
    let isPauseDue = false;
    let asked: Model | undefined;

    const pass = async (): Promise<void> => {
      if (!isPauseDue) return;
      isPauseDue = false;
      const waitMs = Math.min(passMs, passBackoff.nextMs());
      passMs -= waitMs;
      if (waitMs > 0) await clock.sleep(waitMs, signal);
    };

    /** Asks one model with one key after the other. */
    const ask = async (
      candidate: Candidate,
      isLastResort: boolean,
    ): Promise<ModelReply | NextStep> => {
      const { model, pool, provider, tried } = candidate;
      for (;;) {
        const { sessionKey } = request;
        const wish = { model, sessionKey, tried, isLastResort };
        // The key is chosen after the pause: meanwhile another call may have learnt that it has to rest.
        if (pool.canServe(wish)) await pass();
        if (signal.aborted) throw toCancelled(model);
        const lease = pool.choose(wish);
        if (lease === undefined) return "next-credential";
        if (asked !== model) call.onModel(model);
        asked = model;
        tried.add(lease.position);
        candidate.attempts += 1;
        try {
          const reply = await attempt(call, model, provider, lease.secret);
          lease.succeed();
          return reply;
        } catch (caught) {
          const error = toProviderError(caught, model);
          if (signal.aborted) {
            lease.release();
            throw toCancelled(model);
          }
          lease.fail(error);
          candidate.error = error;
          const step = toNextStep(error);
          const { reason } = error;
          const { position } = lease;
          log.warn({ model: model.name, credential: position, reason, step }, "model call failed");
          isPauseDue = reason !== "unauthorized" && reason !== "billing";
          if (step !== "next-credential") return step;
        }
      }
    };

    /** Asks every candidate that is ready, with keys in good standing first. */
    return async (candidates: readonly Candidate[]): Promise<ModelReply | "stop" | undefined> => {
      isPauseDue = false;
      const ready = candidates.filter(
        ({ isOver, readyAtMs }) => !isOver && readyAtMs <= clock.now(),
      );
      for (const { tried } of ready) tried.clear();
      const attemptsBefore = ready.map(({ attempts }) => attempts);
      const finished = new Set<Candidate>();
      for (const isLastResort of [false, true]) {
        for (const candidate of ready.filter((one) => !finished.has(one))) {
          const outcome = await ask(candidate, isLastResort);
          if (typeof outcome === "object" || outcome === "stop") return outcome;
          if (outcome !== "next-credential") finished.add(candidate);
          candidate.isOver = outcome === "next-model";
        }
      }
      for (const [index, candidate] of ready.entries()) {
        if (candidate.attempts === attemptsBefore[index]) continue;
        candidate.rounds += 1;
        const wantedMs = candidate.error?.retryAfterMs ?? 0;
        const isOwn = finished.has(candidate);
        const waitMs = Math.max(candidate.backoff.nextMs(), isOwn ? wantedMs : 0);
        candidate.readyAtMs = clock.now() + waitMs;
      }
      return undefined;
    };
  };

  /** How long until it makes sense to ask again, within everybody's patience; `undefined` when it does not. */
  const findWait = (candidates: readonly Candidate[], startedAtMs: number): number | undefined => {
    const nowMs = clock.now();
    const waits = candidates.flatMap((candidate) => {
      const { maxAttempts, maxDelayMs, maxTotalMs } = candidate.provider.retry;
      const atMs = findReadyMs(candidate, nowMs);
      if (candidate.isOver || atMs === undefined || candidate.rounds >= maxAttempts) return [];
      const waitMs = atMs - nowMs;
      const isTooLong = waitMs > maxDelayMs || atMs - startedAtMs > maxTotalMs;
      return isTooLong ? [] : [waitMs];
    });
    return waits.length === 0 ? undefined : Math.min(...waits);
  };

  return async (call) => {
    const { signal, models } = call;
    await pools.restored;
    const all = models.map(toCandidate);
    const candidates = all.filter((one): one is Candidate => "model" in one);
    const askAll = createWalk(call);
    const startedAtMs = clock.now();
    const cancelled = (): ProviderError => toCancelled(models[0]);
    for (;;) {
      if (signal.aborted) throw cancelled();
      const outcome = await askAll(candidates);
      if (typeof outcome === "object") return outcome;
      const waitMs = outcome === "stop" ? undefined : findWait(candidates, startedAtMs);
      if (waitMs === undefined) break;
      log.warn({ waitMs }, "no model answered yet, trying again after a wait");
      await clock.sleep(waitMs, signal);
    }
    const nowMs = clock.now();
    const failures = all.flatMap((one) => toFailures(one, nowMs));
    const error = toFinalError(failures, findSoonest(candidates, nowMs));
    log.warn({ err: error, reason: error.reason }, "no model gave an answer");
    throw error;
  };
}

/** When the model may be asked again; `undefined` when never. */
function findReadyMs({ pool, model, readyAtMs }: Candidate, nowMs: number): number | undefined {
  const drought = pool.findDrought(model);
  if (drought === undefined) return Math.max(readyAtMs, nowMs);
  return drought.untilMs === undefined ? undefined : Math.max(readyAtMs, drought.untilMs);
}

/** How long until some model can be asked at all. */
function findSoonest(candidates: readonly Candidate[], nowMs: number): number | undefined {
  const times = candidates
    .filter(({ isOver }) => !isOver)
    .flatMap((candidate) => findReadyMs(candidate, nowMs) ?? []);
  return times.length === 0 ? undefined : Math.min(...times) - nowMs;
}

/** How a candidate failed; one that was never asked because its keys rest has failed, too. */
function toFailures(one: Candidate | ModelFailure, nowMs: number): ModelFailure[] {
  if (!("model" in one)) return [one];
  const { attempts, error, model, pool } = one;
  if (error !== undefined) return [{ attempts, error }];
  const drought = pool.findDrought(model);
  if (drought === undefined) return [];
  const { reason, untilMs } = drought;
  const what =
    untilMs === undefined
      ? "the provider accepts none of its credentials; they are used again when their values change"
      : `every credential rests (${reason}), the first one for ${toSeconds(untilMs - nowMs)} more`;
  const retryAfterMs = untilMs === undefined ? undefined : untilMs - nowMs;
  const details = { reason, model: model.name, retryAfterMs };
  return [{ attempts, error: new ProviderError(`${model.name}: ${what}`, details) }];
}

function toSeconds(durationMs: number): string {
  return `${Math.max(1, Math.ceil(durationMs / 1_000))} s`;
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

function toNextStep(error: ProviderError): NextStep {
  switch (error.reason) {
    case "rate-limited":
    case "unauthorized":
    case "billing":
      return "next-credential";
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

/** Failures that may be over when somebody asks again. */
const passingReasons: ReadonlySet<ProviderFailureReason> = new Set([
  "billing",
  "unauthorized",
  "rate-limited",
  "overloaded",
  "timed-out",
  "broken-stream",
  "unreachable",
]);

function toFinalError(
  failures: readonly ModelFailure[],
  soonestMs: number | undefined,
): ProviderError {
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
  const { reason, model, status } = telling.error;
  const isPassing = passingReasons.has(reason) && soonestMs !== undefined && soonestMs > 0;
  const again = isPassing ? ` It makes sense to try again in ${toSeconds(soonestMs)}.` : "";
  const message = `No model answered. Tried: ${tried.join("; ")}.${again}`;
  const retryAfterMs = isPassing ? soonestMs : telling.error.retryAfterMs;
  return new ProviderError(message, { reason, model, status, retryAfterMs, cause: telling.error });
}

function toCancelled(model: Model | undefined): ProviderError {
  const name = model?.name ?? "";
  return new ProviderError(`${name}: the call was cancelled`, { reason: "cancelled", model: name });
}

/** An adapter that breaks its contract is treated like a server that breaks off. */
function toProviderError(error: unknown, model: Model): ProviderError {
  if (error instanceof ProviderError) return error;
  const message = `${model.name}: the model adapter failed unexpectedly`;
  return new ProviderError(message, { reason: "broken-stream", model: model.name, cause: error });
}
