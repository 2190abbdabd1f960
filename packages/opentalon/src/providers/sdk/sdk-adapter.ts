import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  SharedV4ProviderOptions,
} from "@ai-sdk/provider";
import type { Clock } from "../../base/clock.ts";
import { untilAborted } from "../../base/deadline.ts";
import type { Model, ModelReply } from "../../domain/model.ts";
import { createAnswerDeadline } from "../wire/answer-deadline.ts";
import { toFailure } from "../wire/classify-failure.ts";
import type { FailureContext } from "../wire/classify-failure.ts";
import { defaultModelCallLimits } from "../model-adapter.ts";
import type { ModelAdapter, ModelAdapterCall, ModelCallLimits } from "../model-adapter.ts";
import { toSdkFailure } from "./sdk-failure.ts";
import { createSdkFetch } from "./sdk-fetch.ts";
import type { HeaderRecord, OutgoingRequest } from "./sdk-fetch.ts";
import { toSdkPrompt, toSdkTools } from "./sdk-prompt.ts";
import { createSdkReplyReader } from "./sdk-reply.ts";
import { createThoughtMemory } from "./thought-memory.ts";

/** What differs from one SDK to the next. */
export interface SdkDialect {
  /** Loads the SDK; called on first use, so that a start costs nothing. */
  readonly load: () => Promise<OpenSdkModel>;
  readonly toKeyHeaders: (key: string) => HeaderRecord;
  /** For credentials that are no header: signs the request, or fetches a token. @throws ProviderError */
  readonly authorize?: (request: AuthorizedRequest) => Promise<HeaderRecord>;
  /** How the pieces of an answer are told apart; by blank lines when absent. */
  readonly framing?: "blank-lines" | "length-prefixes";
  /** Whether the API takes sound at all; where it does not, a sound is mentioned only. */
  readonly takesAudio?: boolean;
  /** Marks up to where a provider may cache a prompt. */
  readonly cacheMark?: SharedV4ProviderOptions;
  /** Whether a model takes `cacheMark`; all do when absent. */
  readonly takesCacheMark?: (model: Model) => boolean;
  readonly toCallOptions: (
    model: Model,
    about: { readonly hasThoughts: boolean; readonly sessionKey: string },
  ) => Partial<LanguageModelV4CallOptions>;
}

/** A request with what is needed to vouch for it. */
export interface AuthorizedRequest extends OutgoingRequest {
  readonly key: string;
  readonly context: FailureContext;
}

/** The model `id` behind this way to the server. */
export type OpenSdkModel = (id: string, fetch: typeof globalThis.fetch) => LanguageModelV4;

/** What every adapter on an SDK is given. */
export interface SdkAdapterOptions {
  /** Root of the API; the provider's own when absent. */
  readonly baseUrl?: string;
  readonly clock: Clock;
  readonly limits?: Partial<ModelCallLimits>;
}

/** Time for the rest of a connection's bytes behind a complete answer, so that it can be used again. */
const restTimeoutMs = 1_000;

/**
 * Speaks to models through the language-model classes of an SDK: one attempt, our deadlines, limits and failures. The SDK
 * neither retries nor holds a key.
 */
export function createSdkAdapter(
  dialect: SdkDialect,
  { clock, limits: changes }: Omit<SdkAdapterOptions, "baseUrl">,
): ModelAdapter {
  const limits = { ...defaultModelCallLimits, ...changes };
  const thoughts = createThoughtMemory();
  const running = new Set<() => void>();
  let loading: Promise<OpenSdkModel> | undefined;

  const ask = async (call: ModelAdapterCall, attempt: Attempt): Promise<ModelReply> => {
    const { model, request } = call;
    const { context, signal } = attempt;
    loading ??= dialect.load();
    const openModel = await loading.catch((error: unknown) => {
      // Another call may find what was not to be had now, for example a free file handle.
      loading = undefined;
      throw error;
    });
    const fetch = createSdkFetch({
      context,
      clock,
      keyHeaders: toCredentialHeaders(call, dialect),
      ...toAuthorize(call, context, dialect),
      framing: dialect.framing,
      onLife: attempt.sawLife,
    });
    const cacheMark = dialect.takesCacheMark?.(model) === false ? undefined : dialect.cacheMark;
    const { prompt, hasThoughts } = toSdkPrompt({
      model: dialect.takesAudio === true ? model : withoutAudio(model),
      request,
      thoughts,
      cacheMark,
    });
    const tools = model.nativeTools ? toSdkTools(request, cacheMark) : [];
    signal.throwIfAborted();
    const { stream } = await openModel(model.id, fetch).doStream({
      prompt,
      abortSignal: signal,
      ...(tools.length === 0 ? {} : { tools, toolChoice: { type: "auto" } }),
      ...(model.maxTokens === 0 ? {} : { maxOutputTokens: model.maxTokens }),
      ...toReasoning(model),
      ...dialect.toCallOptions(model, { hasThoughts, sessionKey: request.sessionKey }),
    });
    const onText = (delta: string): void => {
      if (!signal.aborted) call.onText(delta);
    };
    const reader = createSdkReplyReader({ context, request, limits, onText });
    const parts = stream.getReader();
    for (;;) {
      const { done, value } = await parts.read();
      signal.throwIfAborted();
      if (done) break;
      const outcome = reader.take(value);
      if (outcome === "token") attempt.sawToken();
      if (outcome !== "done") continue;
      attempt.readRest(async () => {
        while (!(await parts.read()).done);
      });
      break;
    }
    const { reply, record } = reader.finish();
    thoughts.keep(request.sessionKey, reply, record);
    return reply;
  };

  return {
    stream: async (call) => {
      const context: FailureContext = { model: call.model.name, credential: call.credential };
      const abort = new AbortController();
      const cancel = (): void =>
        abort.abort(toFailure(context, "cancelled", "the call was cancelled"));
      const onTimeout = (what: string): void => abort.abort(toFailure(context, "timed-out", what));
      let rest: Promise<void> | undefined;
      running.add(cancel);
      call.signal.addEventListener("abort", cancel, { once: true });
      if (call.signal.aborted) cancel();
      using deadline = createAnswerDeadline({ clock, limits, onTimeout });
      const readRest = (read: () => Promise<void>): void => void (rest = read());
      const { sawLife, sawToken } = deadline;
      try {
        const attempt = { context, signal: abort.signal, sawLife, sawToken, readRest };
        return await untilAborted(abort.signal, ask(call, attempt));
      } catch (error) {
        throw toSdkFailure(abort.signal.aborted ? abort.signal.reason : error, context);
      } finally {
        call.signal.removeEventListener("abort", cancel);
        const close = (): void => {
          running.delete(cancel);
          // Whatever is still open behind a failed or overlong answer.
          abort.abort(toFailure(context, "cancelled", "the call is over"));
        };
        if (rest === undefined) close();
        else {
          const stopWaiting = clock.after(restTimeoutMs, close);
          rest.catch(() => undefined).finally(() => (stopWaiting(), close()));
        }
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const cancel of running) cancel();
    },
  };
}

interface Attempt {
  readonly context: FailureContext;
  readonly signal: AbortSignal;
  readonly sawLife: () => void;
  readonly sawToken: () => void;
  /** Empties the connection in the background, for a while. */
  readonly readRest: (read: () => Promise<void>) => void;
}

function withoutAudio(model: Model): Model {
  if (!model.input.includes("audio")) return model;
  return { ...model, input: model.input.filter((each) => each !== "audio") };
}

function toAuthorize(
  { credential, isToken = false }: ModelAdapterCall,
  context: FailureContext,
  { authorize }: SdkDialect,
): { authorize?: (request: OutgoingRequest) => Promise<HeaderRecord> } {
  if (credential === undefined || isToken || authorize === undefined) return {};
  return { authorize: (request) => authorize({ ...request, context, key: credential.reveal() }) };
}

function toCredentialHeaders(
  { credential, isToken = false }: ModelAdapterCall,
  { toKeyHeaders }: SdkDialect,
): Readonly<Record<string, string>> {
  if (credential === undefined) return {};
  const text = credential.reveal();
  return isToken ? { authorization: `Bearer ${text}` } : toKeyHeaders(text);
}

function toReasoning({ reasoningEffort }: Model): Pick<LanguageModelV4CallOptions, "reasoning"> {
  switch (reasoningEffort) {
    case "minimal":
    case "low":
    case "medium":
    case "high":
      return { reasoning: reasoningEffort };
    default:
      return {};
  }
}
