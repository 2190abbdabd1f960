import type { AnswerRecord } from "../domain/answer.ts";
import type { HookRecord } from "../domain/hook.ts";
import type { ModelReply } from "../domain/model.ts";
import type { Reply, Turn } from "../domain/turn.ts";

/** What the hooks of a turn did. */
export interface HookNotes {
  /** Those that did something, bounded. */
  readonly records: readonly HookRecord[];
  /** Replies of models that hooks asked; they are paid for like any other. */
  readonly replies: readonly ModelReply[];
}

export const noNotes: HookNotes = { records: [], replies: [] };

type Metadata = Readonly<Record<string, string>>;

/** Inbound metadata the outside must never see again, nor a hook at all. */
export const privateMetadata: ReadonlySet<string> = new Set([
  "profile_token",
  "__enrich_failed",
  "__enrich_failed_step",
]);

/** The message as the hooks left it. */
export function withMetadata(turn: Turn, metadata?: Metadata): Turn {
  if (metadata === undefined) return turn;
  const kept = Object.entries(turn.message.metadata).filter(([key]) => privateMetadata.has(key));
  const known = { ...metadata, ...Object.fromEntries(kept) };
  return { ...turn, message: { ...turn.message, metadata: known } };
}

/** What hooks put into the message's metadata goes out with the reply. */
export function withChanges(reply: Reply, { message }: Turn, changed: Metadata = {}): Reply {
  const added = Object.entries({ ...changed, ...reply.metadata }).filter(
    ([key, value]) => !privateMetadata.has(key) && message.metadata[key] !== value,
  );
  return { ...reply, metadata: Object.fromEntries(added) };
}

export function toHooks({ records }: HookNotes): Pick<AnswerRecord, "hooks"> {
  return records.length === 0 ? {} : { hooks: records };
}

/** What `/why` tells of a message that a hook refused; the message itself is not kept. */
export function toRefusal({ id }: Turn, notes: HookNotes): AnswerRecord | null {
  const { hooks } = toHooks(notes);
  if (hooks === undefined) return null;
  return {
    id,
    model: "",
    task: "",
    features: "",
    tried: [],
    cause: "override",
    reason: "",
    chosen: "",
    inputTokens: 0,
    outputTokens: 0,
    cost: 0,
    messageCount: 0,
    isJudged: true,
    hooks,
  };
}
