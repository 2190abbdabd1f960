import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import { createKeyedQueue } from "../../base/keyed-queue.ts";
import type { Log } from "../../base/log.ts";
import type { ChannelHost } from "../../domain/channel.ts";
import type { InboundMessage } from "../../domain/message.ts";
import { type ConditionContext, holds } from "./conditions.ts";
import type { ConversationMemory } from "./conversation-memory.ts";
import type { ChannelDefinition } from "./definition.ts";
import type { EnrichEvent } from "./enrich-event.ts";
import { findField, findFields, toText } from "./field-path.ts";
import { loadMedia } from "./load-media.ts";
import { mapEvent, type MappedEvent, readConversation, readInlineFiles } from "./map-event.ts";
import { createRecentKeys } from "./recent-keys.ts";
import type { SentMemory } from "./sent-memory.ts";
import type { SessionValues } from "./session-values.ts";
import { renderKnown, type Scope } from "./template.ts";
import { transformText } from "./transform-text.ts";

export type GivenMessage = Omit<InboundMessage, "channel">;

export type TakeOutcome =
  /** The platform may forget it: stored, known, none of ours, or its sender was told. */
  | { readonly kind: "done" }
  /** The platform must bring it again. */
  | { readonly kind: "refused"; readonly reason: string; readonly retryAfterMs: number };

export interface EventIntake {
  /** Takes what a platform sent, one event or several; resolves when all of it is on disk or refused. Never rejects. */
  readonly take: (frame: unknown) => Promise<TakeOutcome>;
  /** Events under way. */
  readonly size: () => number;
  readonly idle: () => Promise<void>;
}

export interface EventIntakeOptions {
  readonly definition: ChannelDefinition;
  readonly values: SessionValues;
  readonly enrich: EnrichEvent;
  readonly sent: SentMemory;
  readonly conversations: ConversationMemory;
  /** `undefined` while nothing is taken in. */
  readonly host: () => ChannelHost | undefined;
  /** Says something to the person at once, beside the outbox. Never rejects. */
  readonly tell: (message: GivenMessage, words: string, errorCode: string) => Promise<void>;
  /** Called for every message that was stored. */
  readonly onStored: (message: GivenMessage) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const parallelConversations = 16;
const maxEventsOfFrame = 100;
const maxSeen = 100_000;
const defaultSeenMs = 600_000;
const retryAfterMs = 5_000;
const done: TakeOutcome = { kind: "done" };
const enrichmentFailed =
  "Something I need to know to answer could not be looked up. Please try again in a moment.";

/** The way of an event: filter, dispatch, deduplicate, look up, map, load files, transform, store. */
export function createEventIntake(options: EventIntakeOptions): EventIntake {
  const { definition, values, enrich, sent, conversations, host, tell, onStored, clock, log } =
    options;
  const { inbound } = definition;
  const seen = createRecentKeys<true>(maxSeen, clock);
  const seenMs = inbound.dedup?.ttlMs ?? defaultSeenMs;
  const underWay = new Map<string, Promise<TakeOutcome>>();
  const queue = createKeyedQueue({
    concurrency: parallelConversations,
    onError: (error) => log.error({ err: error }, "an event could not be taken in"),
  });

  const toContext = (frame: unknown, event: unknown, parent: unknown): EventContext => {
    const scope: Scope = {
      ...values.scope,
      event: (key) => findField(event, key),
      frame: (key) => findField(frame, key),
      parent: (key) => findField(parent, key),
    };
    let conversationId = "";
    const traces = {
      isOwnThread: (id: string) => sent.isOwnThread(conversationId, id),
      isOwnMessage: (id: string) => sent.findThread(conversationId, id) !== undefined,
    };
    const context = { event, scope, traces };
    conversationId = readConversation(inbound.mapping, context);
    return { ...context, conversationId };
  };

  const isWanted = (context: EventContext): boolean => {
    const type = toText(findField(context.event, "type"));
    const { eventTypes, alwaysProcessWhen, processWhen } = inbound;
    const hasType = eventTypes.length === 0 || eventTypes.includes(type);
    const isAlways = alwaysProcessWhen !== undefined && holds(alwaysProcessWhen, context);
    if (!hasType && !isAlways) return false;
    return processWhen.length === 0 || processWhen.some((rule) => holds(rule, context));
  };

  /** Everything behind the filter, for one event at a time of one conversation. */
  const process = async (context: EventContext): Promise<TakeOutcome> => {
    const { dispatch, dedup, skip } = inbound;
    const key = dedup && renderKnown(dedup.key, context.scope);
    const isDispatched = dispatch?.when.some((rule) => holds(rule, context)) ?? false;
    const dropping = isDispatched ? (dispatch?.skip ?? []) : skip;
    if (dropping.some((rule) => holds(rule, context))) return done;
    if (key !== undefined && seen.get(key) === true) return done;
    const outcome = isDispatched
      ? await makeDispatch(context)
      : await toMessageAndStore(context, key);
    // Only what is certain is remembered: a refused message must get through when it comes again.
    if (key !== undefined && outcome.kind === "done") seen.set(key, true, seenMs);
    return outcome;
  };

  const makeDispatch = async ({ scope }: EventContext): Promise<TakeOutcome> => {
    if (inbound.dispatch === undefined) return done;
    if (host() === undefined) return notNow;
    try {
      await values.call(inbound.dispatch.call, scope);
    } catch (error) {
      const isCertain = (error as { outcome?: unknown }).outcome === "not-delivered";
      log.error({ problem: toMessage(error) }, "an event could not be dispatched");
      if (isCertain) return { kind: "refused", reason: "the call was not taken", retryAfterMs };
    }
    return done;
  };

  const toMessageAndStore = async (
    context: EventContext,
    dedupKey: string | undefined,
  ): Promise<TakeOutcome> => {
    const first = toGiven(mapEvent(inbound.mapping, context), context, dedupKey);
    if (first.conversationId === "") {
      log.warn("an event without a conversation was left out; look at inbound.mapping");
      return done;
    }
    if (host() === undefined) return notNow;
    let enriched: ReadonlyMap<string, string>;
    try {
      enriched = await enrich(context.scope);
    } catch (error) {
      log.error({ problem: toMessage(error) }, "a message was turned away: a lookup failed");
      await tell(first, enrichmentFailed, "enrichment_failed");
      return done;
    }
    const scope: Scope = { ...context.scope, enrich: (key) => enriched.get(key) };
    const informed = { ...context, scope };
    const mapped = toGiven(mapEvent(inbound.mapping, informed), context, dedupKey);
    const media = await loadMedia(inbound.media, context.event, scope, values, log);
    const files = [...readInlineFiles(context.event, inbound.mapping.files), ...media.files];
    const content = transformText(mapped.content, inbound.transforms, scope, log);
    const message = { ...mapped, content: content === "" ? media.description : content, files };
    if (isEmpty(message)) return done;
    conversations.note(message.conversationId, message.metadata);
    const taking = host();
    if (taking === undefined) return notNow;
    const outcome = await taking.accept(message);
    switch (outcome.kind) {
      case "accepted":
        onStored(message);
        break;
      case "duplicate":
        break;
      case "refused":
        if (outcome.retryAfterMs > 0) return outcome;
        // It would be refused again and again: the person hears it in place of the platform.
        await tell(
          message,
          `This message could not be taken: ${outcome.reason}.`,
          "internal_error",
        );
    }
    return done;
  };

  const toGiven = (
    mapped: MappedEvent,
    { event, conversationId }: EventContext,
    dedupKey: string | undefined,
  ): GivenMessage => {
    const { messageId, sentAtMs, ...rest } = mapped;
    const { reaction_to: reactionTo, clicked_message: clicked } = mapped.metadata;
    const about = reactionTo ?? clicked;
    const thread = about === undefined ? undefined : sent.findThread(conversationId, about);
    return {
      ...rest,
      threadId: thread ?? rest.threadId,
      channelKind: definition.id,
      platformMessageId: toIdentity([messageId, dedupKey ?? "", findPlatformId(mapped)], event),
      files: [],
      sentAtMs: sentAtMs ?? clock.now(),
    };
  };

  const takeOne = (context: EventContext): Promise<TakeOutcome> => {
    if (!isWanted(context)) return Promise.resolve(done);
    const key = inbound.dedup && renderKnown(inbound.dedup.key, context.scope);
    // The platform may bring it again before the first one is through.
    const running = key === undefined ? undefined : underWay.get(key);
    if (running !== undefined) return running;
    const taking = new Promise<TakeOutcome>((resolve) => {
      queue.add(context.conversationId, async () => {
        try {
          resolve(await process(context));
        } catch (error) {
          log.error({ err: error }, "an event could not be taken in");
          resolve({ kind: "refused", reason: "the event could not be taken in", retryAfterMs });
        } finally {
          if (key !== undefined) underWay.delete(key);
        }
      });
    });
    if (key !== undefined) underWay.set(key, taking);
    return taking;
  };

  return {
    take: async (frame) => {
      const paths = inbound.eventPaths.length === 0 ? [""] : inbound.eventPaths;
      for (const path of paths) {
        const events = findFields(frame, path === "." ? "" : path, maxEventsOfFrame);
        if (events.length === 0) continue;
        const outcomes = await Promise.all(
          events.map(({ value, parent }) => takeOne(toContext(frame, value, parent))),
        );
        return outcomes.find(({ kind }) => kind === "refused") ?? done;
      }
      return done;
    },
    size: queue.size,
    idle: queue.idle,
  };
}

interface EventContext extends ConditionContext {
  readonly conversationId: string;
}

const notNow: TakeOutcome = {
  kind: "refused",
  reason: "the channel takes no messages right now",
  retryAfterMs,
};

/** What platforms call their messages, by the usual names; unique within a conversation at least. */
function findPlatformId({ conversationId, metadata }: MappedEvent): string {
  const names = ["message_id", "ts", "activity_id", "event_id", "id"];
  const id = names.map((name) => metadata[name] ?? "").find((value) => value !== "");
  return id === undefined ? "" : `${conversationId}:${id}`;
}

const longestIdentity = 500;

/** Without an id of the platform's own the event stands for itself: the same one again is the same message. */
function toIdentity(candidates: readonly string[], event: unknown): string {
  const id = candidates.find((candidate) => candidate !== "") ?? "";
  if (id !== "" && id.length <= longestIdentity) return id;
  const text = id === "" ? JSON.stringify(event) : id;
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

const wordlessMeanings = ["reaction", "signal", "confirmation", "control"];

function isEmpty({ content, files, metadata }: GivenMessage): boolean {
  if (content !== "" || files.length > 0) return false;
  return !wordlessMeanings.some((key) => (metadata[key] ?? "") !== "");
}
