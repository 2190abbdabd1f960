import { ChannelError } from "../base/errors.ts";

export interface DeliveryErrorDetails {
  /** `unknown`: the platform may have it; sending it again could show it twice. */
  readonly outcome: "not-delivered" | "unknown";
  /** How long the platform asked us to wait. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** A message that was not, or perhaps not, delivered; what `Channel.send` rejects with. */
export class DeliveryError extends ChannelError {
  readonly outcome: "not-delivered" | "unknown";
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { outcome, retryAfterMs, cause }: DeliveryErrorDetails) {
    super("CHANNEL_REFUSED", message, { cause });
    this.outcome = outcome;
    this.retryAfterMs = retryAfterMs;
  }
}
