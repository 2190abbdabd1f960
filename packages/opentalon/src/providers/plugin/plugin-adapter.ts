import type { Clock } from "../../base/clock.ts";
import { PluginError, ProviderError } from "../../base/errors.ts";
import type { ProviderFailureReason } from "../../base/errors.ts";
import type { ProviderPlugin } from "../../plugins/provider-plugins.ts";
import { createAnswerDeadline } from "../wire/answer-deadline.ts";
import { quote, toFailure } from "../wire/classify-failure.ts";
import type { FailureContext } from "../wire/classify-failure.ts";
import { defaultModelCallLimits } from "../model-adapter.ts";
import type { ModelAdapter, ModelCallLimits } from "../model-adapter.ts";
import { createPluginReplyReader } from "./plugin-reply.ts";
import { toCompletion } from "./plugin-request.ts";

export interface PluginAdapterOptions {
  readonly plugin: Pick<ProviderPlugin, "complete">;
  readonly clock: Clock;
  readonly limits?: Partial<ModelCallLimits>;
}

/** Speaks to models through a provider plugin: our deadlines and limits, and a plugin that ends counts like a server. */
export function createPluginAdapter(options: PluginAdapterOptions): ModelAdapter {
  const { plugin, clock } = options;
  const limits = { ...defaultModelCallLimits, ...options.limits };
  const running = new Set<() => void>();
  return {
    stream: async (call) => {
      const { model, request, credential } = call;
      const context: FailureContext = { model: model.name, credential };
      const abort = new AbortController();
      const { signal } = abort;
      const cancel = (): void =>
        abort.abort(toFailure(context, "cancelled", "the call was cancelled"));
      running.add(cancel);
      call.signal.addEventListener("abort", cancel, { once: true });
      if (call.signal.aborted) cancel();
      const onTimeout = (what: string): void => abort.abort(toFailure(context, "timed-out", what));
      using deadline = createAnswerDeadline({ clock, limits, onTimeout });
      const reader = createPluginReplyReader({ context, request, limits, onText: call.onText });
      let hasBegun = false;
      try {
        signal.throwIfAborted();
        await plugin.complete(toCompletion(call), {
          signal,
          onEvent: (event) => {
            hasBegun = true;
            deadline.sawLife();
            if (reader.take(event) === "token") deadline.sawToken();
            // Whoever was told of a piece may have had enough.
            signal.throwIfAborted();
          },
        });
        return reader.finish();
      } catch (error) {
        throw signal.aborted ? signal.reason : toPluginFailure(error, context, hasBegun);
      } finally {
        call.signal.removeEventListener("abort", cancel);
        running.delete(cancel);
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const cancel of running) cancel();
    },
  };
}

/** Whatever went wrong between us and the plugin, as what it means to the one who asked. */
function toPluginFailure(
  error: unknown,
  context: FailureContext,
  hasBegun: boolean,
): ProviderError {
  if (error instanceof ProviderError) return error;
  if (!(error instanceof PluginError)) {
    const what = "the answer of the provider plugin could not be read";
    return toFailure(context, "broken-stream", what, { cause: error });
  }
  // Not kept as a cause: its words may be the plugin's, which knows the credential.
  return toFailure(context, toReason(error, hasBegun), quote(error.message, context.credential));
}

function toReason({ reason }: PluginError, hasBegun: boolean): ProviderFailureReason {
  switch (reason) {
    case "timed-out":
      return "timed-out";
    case "protocol-violated":
      return "broken-stream";
    case "crashed":
    case "handshake-failed":
    case "unavailable":
      return hasBegun ? "broken-stream" : "unreachable";
  }
}
