import type { Clock } from "../../base/clock.ts";
import { ChannelError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { createPassingSecret } from "../../base/secret.ts";
import type { FileAttachment } from "../../domain/message.ts";
import type { ChannelDefinition, InitStep, RequestTemplate } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import {
  type CallLimits,
  checkAnswer,
  type HttpCaller,
  type HttpResult,
  parseAnswer,
  RefusedError,
} from "./http-call.ts";
import { createOriginGuard } from "./origin-guard.ts";
import { type RenderedRequest, renderRequest } from "./render-request.ts";
import { renderText, type Scope } from "./template.ts";

/**
 * What templates know apart from the event at hand (`env`, `config`, `self`), and the way requests are made with it:
 * guarded, checked, and once more after a new sign-in when the platform does not know us any more.
 */
export interface SessionValues {
  readonly scope: Scope;
  readonly setSelf: (key: string, value: string) => void;
  /** @throws ChannelError, DeliveryError when a step failed. */
  readonly runInit: (names?: readonly string[], signal?: AbortSignal) => Promise<void>;
  /**
   * Makes a request and checks the answer.
   * @throws DeliveryError with what is known about the outcome, ChannelError when it cannot be made.
   */
  readonly call: (
    request: RequestTemplate,
    scope: Scope,
    more?: CallOptions,
  ) => Promise<HttpResult>;
  /** Loads a file, over redirects to hosts that are known. */
  readonly download: (
    request: RequestTemplate,
    scope: Scope,
    maxBytes: number,
  ) => Promise<HttpResult>;
}

export interface CallOptions extends Partial<CallLimits> {
  /** The one at hand, for bodies that carry it. */
  readonly file?: FileAttachment | undefined;
}

export interface SessionValuesOptions {
  readonly definition: ChannelDefinition;
  readonly config: Readonly<Record<string, unknown>>;
  /** Value of a variable the definition asks for. */
  readonly environment: (name: string) => string | undefined;
  readonly caller: HttpCaller;
  readonly clock: Clock;
  readonly log: Log;
}

const requestTimeoutMs = 30_000;
const maxAnswerBytes = 1_048_576;
/** A sign-in that did not help is not repeated at once. */
const leastBetweenSignInsMs = 30_000;
const maxRedirects = 3;

export function createSessionValues(options: SessionValuesOptions): SessionValues {
  const { definition, config, environment, caller, clock, log } = options;
  const self = new Map<string, string>();
  const known = new Set(definition.environmentNames);
  const env = (name: string): string | undefined =>
    known.has(name) ? environment(name) : undefined;
  const scope: Scope = {
    env,
    config: (key) => {
      const given = findField(config, key);
      if (given !== undefined && given !== null && given !== "") return given;
      const fallback = Object.hasOwn(definition.configDefaults, key)
        ? definition.configDefaults[key]
        : undefined;
      return fallback && renderText(fallback, { env });
    },
    self: (key) => self.get(key),
  };
  const guard = createOriginGuard(definition, scope);
  let signedInAgainAtMs = Number.NEGATIVE_INFINITY;
  let signingIn: Promise<void> | undefined;

  const makeOnce = async (
    request: RequestTemplate,
    all: Scope,
    limits: CallLimits,
    file?: FileAttachment,
  ): Promise<HttpResult> => {
    const rendered = renderRequest(request, all, file);
    guard.check(rendered);
    const result = await caller.call(rendered, limits);
    checkAnswer(rendered, result, clock);
    return result;
  };

  const runStep = async (
    { name, request, store }: InitStep,
    signal?: AbortSignal,
  ): Promise<void> => {
    let result: HttpResult;
    try {
      const limits = { maxBytes: maxAnswerBytes, timeoutMs: requestTimeoutMs, signal };
      result = await makeOnce(request, scope, limits);
    } catch (error) {
      const words = toMessage(error).replace(`${request.place}: `, "");
      const isRefused = error instanceof RefusedError && error.status < 500;
      const hint = isRefused ? "; check the settings below `config`" : "";
      const problem = `init step "${name}" failed: ${words}${hint}`;
      throw new ChannelError("CHANNEL_REFUSED", problem, { cause: error });
    }
    const answer = parseAnswer(result);
    for (const [key, path] of Object.entries(store)) {
      const value = toText(findField(answer, path));
      if (value === "") continue;
      // Tokens and one-time addresses: whatever is long enough to be one stays out of the log.
      if (value.length >= 20) createPassingSecret(value);
      self.set(key, value);
    }
  };

  const runInit = async (names?: readonly string[], signal?: AbortSignal): Promise<void> => {
    for (const step of definition.init) {
      if (names === undefined || names.includes(step.name)) await runStep(step, signal);
    }
  };

  /** One at a time, for all requests that were turned away together. */
  const signInAgain = (): Promise<void> => {
    signingIn ??= runInit().finally(() => {
      signingIn = undefined;
    });
    return signingIn;
  };

  /** What was answered with 401 was certainly not obeyed: it may be tried once more. */
  const withSignIn = async <Result>(
    place: string,
    attempt: () => Promise<Result>,
  ): Promise<Result> => {
    try {
      return await attempt();
    } catch (error) {
      const isUnknown = error instanceof RefusedError && error.status === 401;
      const isRecent =
        signingIn === undefined && clock.now() - signedInAgainAtMs < leastBetweenSignInsMs;
      if (!isUnknown || isRecent || definition.init.length === 0) throw error;
      log.info({ place }, "the platform does not know us any more; signing in again");
      signedInAgainAtMs = clock.now();
      try {
        await signInAgain();
      } catch (signInError) {
        log.warn({ problem: toMessage(signInError) }, "signing in again failed");
        throw error;
      }
      return attempt();
    }
  };

  const downloadOnce = async (
    request: RequestTemplate,
    all: Scope,
    limits: CallLimits,
  ): Promise<HttpResult> => {
    let rendered = renderRequest(request, all);
    guard.check(rendered);
    for (let redirects = 0; ; redirects += 1) {
      const result = await caller.call(rendered, limits);
      const next = rendered.method === "GET" ? findRedirect(result, rendered.url) : undefined;
      if (next === undefined || redirects >= maxRedirects || !guard.allows(next)) {
        checkAnswer(rendered, result, clock);
        return result;
      }
      rendered = redirect(rendered, next);
    }
  };

  const limitsOf = (given: Partial<CallLimits> = {}): CallLimits => ({
    maxBytes: maxAnswerBytes,
    timeoutMs: requestTimeoutMs,
    ...given,
  });

  return {
    scope,
    setSelf: (key, value) => {
      self.set(key, value);
    },
    runInit,
    call: (request, own, { file, ...limits } = {}) =>
      withSignIn(request.place, () =>
        makeOnce(request, { ...scope, ...own }, limitsOf(limits), file),
      ),
    download: (request, own, maxBytes) =>
      withSignIn(request.place, () =>
        downloadOnce(request, { ...scope, ...own }, limitsOf({ maxBytes })),
      ),
  };
}

function findRedirect({ status, headers }: HttpResult, from: URL): URL | undefined {
  const isRedirect = status >= 300 && status < 400 && headers.location !== undefined;
  return isRedirect ? (URL.parse(headers.location ?? "", from) ?? undefined) : undefined;
}

/** Whoever is asked next is not who the headers are for. */
function redirect(request: RenderedRequest, url: URL): RenderedRequest {
  return { ...request, url, headers: url.origin === request.url.origin ? request.headers : {} };
}
