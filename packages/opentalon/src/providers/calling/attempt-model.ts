import { ProviderError } from "../../base/errors.ts";
import type { Model, ModelReply } from "../../domain/model.ts";
import type { ModelAdapter, ModelAdapterCall } from "../model-adapter.ts";

export interface ModelAttempt extends ModelAdapterCall {
  readonly adapter: ModelAdapter;
  /** What `onText` was given is void. */
  readonly onReset: () => void;
}

/** One attempt whose text can be taken back and which ends at once with `signal`, whatever the adapter does. */
export async function attemptModel({
  adapter,
  onText: show,
  onReset,
  ...call
}: ModelAttempt): Promise<ModelReply> {
  const { model, signal } = call;
  let isOpen = true;
  let hasText = false;
  const onText = (delta: string): void => {
    if (!isOpen || signal.aborted) return;
    hasText = true;
    show(delta);
  };
  let stopWaiting = (): void => undefined;
  const cancelled = new Promise<never>((_resolve, reject) => {
    const onAbort = (): void => reject(toCancelled(model));
    signal.addEventListener("abort", onAbort, { once: true });
    stopWaiting = () => signal.removeEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([adapter.stream({ ...call, onText }), cancelled]);
  } catch (error) {
    if (hasText && !signal.aborted) onReset();
    throw error;
  } finally {
    isOpen = false;
    stopWaiting();
  }
}

export function toCancelled(model: Model | undefined): ProviderError {
  const name = model?.name ?? "";
  return new ProviderError(`${name}: the call was cancelled`, { reason: "cancelled", model: name });
}

/** An adapter that breaks its contract is treated like a server that breaks off. */
export function toProviderError(error: unknown, model: Model): ProviderError {
  if (error instanceof ProviderError) return error;
  const message = `${model.name}: the model adapter failed unexpectedly`;
  return new ProviderError(message, { reason: "broken-stream", model: model.name, cause: error });
}
