/**
 * Gets: the calls a model makes in a turn, and what tools have told it there. Gives: which of them a tool asked for, and
 * whether the person has agreed to those and to calls that have to be confirmed anyway.
 * Never: lets such a call pass without the word of the person, given in the next message and for that very call only.
 */
import { createHash } from "node:crypto";
import type { Actor } from "../domain/actor.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { Session, TranscriptMessage } from "../domain/session.ts";
import type { CallConsent, Tool } from "../domain/tool.ts";
import { encodeArguments } from "./encode-arguments.ts";
import {
  isCallRequested,
  isCallWritten,
  toSearchableText,
  type SearchableText,
} from "./guard/find-requested-call.ts";
import { isClearYes } from "./is-clear-yes.ts";

export interface SuspectCall {
  readonly tool: Tool;
  /** Valid, as the model gave them. */
  readonly arguments: Readonly<Record<string, unknown>>;
  /** A plugin wants it in the middle of another call: the person's word, which is for a call of the model, is not for it. */
  readonly isNested?: boolean | undefined;
}

export type TripwireVerdict =
  | { readonly kind: "clear" }
  /** A person agreed: the call is made, and this was its one time. */
  | { readonly kind: "agreed"; readonly consent: CallConsent }
  | { readonly kind: "tripped"; readonly consent: CallConsent };

/** One turn's tripwire. */
export interface Tripwire {
  /**
   * Judges a call; `messages` are those of the turn so far. An `agreed` call is not agreed a second time. With `mustAsk` the
   * person's word is needed whoever asked for the call.
   */
  readonly judge: (
    call: SuspectCall,
    messages: readonly TranscriptMessage[],
    mustAsk?: boolean,
  ) => TripwireVerdict;
}

export interface TripwireOptions {
  readonly session: Session;
  readonly message: Pick<InboundMessage, "content" | "metadata">;
  readonly actor: Actor;
  /**
   * The turn goes on after a crash, and may have made the call the person agreed to: nobody knows, so the word counts no
   * more and they are asked again.
   */
  readonly isResumed: boolean;
  /** Whether calls that a tool's output asked for need the person's word; yes when absent. */
  readonly watchesOutputs?: boolean | undefined;
}

export function createTripwire(options: TripwireOptions): Tripwire {
  const { session, message, actor, isResumed, watchesOutputs = true } = options;
  const isYes = !isResumed && isClearYes(message);
  const agreed = new Set(
    isYes ? findAwaited(session, actor, message.metadata["tool_call_id"]) : [],
  );
  const refused = findRefused(session.messages);
  const readable = new WeakMap<TranscriptMessage, SearchableText>();
  let own: SearchableText | undefined;

  const readSaid = (said: TranscriptMessage): readonly SearchableText[] => {
    // What OpenTalon itself said about a call it did not make is no request.
    if (said.role !== "tool" || said.byHost === true) return [];
    let text = readable.get(said);
    if (text === undefined) {
      text = toSearchableText(said.content);
      readable.set(said, text);
    }
    return [text];
  };

  return {
    judge: (call, messages, mustAsk = false) => {
      const digest = toCallDigest(call);
      const earlier = refused.get(digest);
      const isInduced =
        watchesOutputs &&
        (earlier === "tool-output" || isCallRequested(call, messages.flatMap(readSaid)));
      const isAsked = mustAsk || earlier === "confirmation";
      if (!isInduced && !isAsked) return { kind: "clear" };
      const why = isInduced ? {} : ({ why: "confirmation" } as const);
      if (call.isNested !== true && agreed.delete(digest))
        return { kind: "agreed", consent: { state: "given", actor, call: digest, ...why } };
      own ??= toSearchableText(message.content);
      if (!isAsked && isCallWritten(call, own)) return { kind: "clear" };
      return { kind: "tripped", consent: { state: "awaited", actor, call: digest, ...why } };
    },
  };
}

/** The action with exactly these arguments, whatever the order of their members. */
export function toCallDigest({ tool, arguments: values }: SuspectCall): string {
  const encoded = Object.entries(encodeArguments(sortMembers(values), "native"));
  const text = JSON.stringify([tool.plugin, tool.action, encoded]);
  return createHash("sha256").update(text).digest("hex");
}

function sortMembers(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const sorted = Object.entries(values).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, value]) => [name, sortValue(value)]));
}

function sortValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortValue);
  return typeof value === "object" && value !== null
    ? sortMembers(value as Record<string, unknown>)
    : value;
}

/**
 * Calls the newest answer told `actor` of: only the message right after it can agree to them. A button may say which
 * question it belongs to (`clicked`); that of an older one agrees to nothing.
 */
function findAwaited(
  { messages, lastAnswer }: Session,
  actor: Actor,
  clicked = "",
): readonly string[] {
  // Without an answer the person was not asked.
  if (lastAnswer === undefined || lastAnswer.unanswered !== undefined) return [];
  const from = messages.findLastIndex(({ role }) => role === "user");
  const awaited = messages.slice(from + 1).flatMap((said) => {
    const { consent, callId } = said.role === "tool" ? said : {};
    return consent?.state === "awaited" && consent.actor === actor
      ? [{ callId, call: consent.call }]
      : [];
  });
  const isAnswered = clicked === "" || awaited.some(({ callId }) => callId === clicked);
  return isAnswered ? awaited.map(({ call }) => call) : [];
}

/** Calls of earlier turns nobody agreed to: what asked for them may still be in the model's sight. */
function findRefused(
  messages: readonly TranscriptMessage[],
): ReadonlyMap<string, "tool-output" | "confirmation"> {
  const refused = new Map<string, "tool-output" | "confirmation">();
  for (const said of messages) {
    if (said.role !== "tool" || said.consent === undefined) continue;
    const { state, call, why = "tool-output" } = said.consent;
    if (state === "awaited") refused.set(call, why);
    else refused.delete(call);
  }
  return refused;
}
