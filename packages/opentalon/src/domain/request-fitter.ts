import type { Model, ModelReply, ModelRequest } from "./model.ts";

/** What a provider said of the length when it refused a request as too long. */
export interface LengthRefusal {
  /** Tokens the model reads at most. */
  readonly limitTokens: number | undefined;
  /** Tokens the request came to. */
  readonly sentTokens: number | undefined;
}

/** One request on its way to whichever model answers it, cut to what each of them can read. */
export interface FittedRequest {
  /**
   * What `model` is sent; the same until `shorten`. `undefined` when it is known to be too long for the model, whatever
   * is left out.
   */
  readonly forModel: (model: Model) => ModelRequest | undefined;
  /** `model` refused what `forModel` gave. Gives whether there is something shorter now. */
  readonly shorten: (model: Model, refusal: LengthRefusal) => boolean;
  /** Takes the answer to what `forModel` gave as a measure of what the model can read. */
  readonly learn: (reply: ModelReply) => void;
}

/** Takes a whole request: the system prompt, the earlier turns, the running one, the tools. */
export type RequestFitter = (request: ModelRequest) => FittedRequest;
