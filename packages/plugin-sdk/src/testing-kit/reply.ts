/** What became of a question to a plugin. Nothing here is thrown: a test decides what it makes of it. */
export type Reply<Value> =
  | { readonly kind: "reply"; readonly value: Value; readonly bytes: Buffer }
  /** A gRPC status in place of an answer. */
  | { readonly kind: "status"; readonly code: number; readonly words: string }
  /** The connection ended, or never came about. */
  | { readonly kind: "lost"; readonly words: string }
  | { readonly kind: "timed-out"; readonly words: string }
  | { readonly kind: "cancelled"; readonly words: string };

export type NoReply = Exclude<Reply<unknown>, { readonly kind: "reply" }>;

/** Limits of one question. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Whether the plugin says that it does not have the method. */
export function isUnimplemented(reply: Reply<unknown>): boolean {
  return reply.kind === "status" && reply.code === unimplementedCode;
}

/** Whether the plugin says that what it was given is wrong. */
export function isInvalidArgument(reply: Reply<unknown>): boolean {
  return reply.kind === "status" && reply.code === invalidArgumentCode;
}

/** As gRPC numbers them. */
const unimplementedCode = 12;
const invalidArgumentCode = 3;
