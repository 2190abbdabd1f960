/**
 * Gets: the message whose turn has come, and what waits behind it. Gives: one turn of those that are answered together.
 * Never: puts a message into a turn that has begun without it, also not after a crash, and never speaks for somebody else:
 * only messages of one sender become one.
 */
import type { InboundMessage } from "../domain/message.ts";
import type { Turn } from "../domain/turn.ts";
import type { Journal } from "../store/ports.ts";

export interface GatherOptions {
  /** Longest time between two messages that are answered together; 0 is off. */
  readonly windowMs: number;
  readonly journal: Pick<Journal, "load" | "record">;
  /** A command, a click, a reaction: means something by itself only. */
  readonly standsAlone: (message: InboundMessage) => boolean;
}

/** Makes one turn out of `head` and some of `waiting`, oldest first. */
export type GatherMessages = (head: Turn, waiting: readonly Turn[]) => Promise<Turn>;

/** The step under which the journal of the first message names the others. */
const step = "messages";
const maxMessages = 50;
const maxContentLength = 1_048_576;
const maxFiles = 32;
const maxFileBytes = 32 * 1024 * 1024;

export function createGatherMessages(options: GatherOptions): GatherMessages {
  const { windowMs, journal, standsAlone } = options;
  /** A fresh turn has no steps; one that was taken over may have begun. */
  const loadSteps = async ({ id, attempt }: Turn) => (attempt > 1 ? journal.load(id) : []);

  return async (head, waiting) => {
    const steps = await loadSteps(head);
    const named = steps.find((each) => each.step === step && each.state === "recorded");
    if (named !== undefined) {
      const ids = new Set(named.value as readonly string[]);
      return mergeTurns([head, ...waiting.filter(({ id }) => ids.has(id))]);
    }
    // What has begun goes on as it began.
    if (windowMs === 0 || steps.length > 0 || standsAlone(head.message)) return head;
    const together = [head];
    for (const next of waiting) {
      const previous = together.at(-1) ?? head;
      if (!isSoonAfter(previous, next, windowMs) || standsAlone(next.message)) break;
      if (next.message.senderId !== head.message.senderId || !fits([...together, next])) break;
      if ((await loadSteps(next)).length > 0) break;
      together.push(next);
    }
    if (together.length === 1) return head;
    // Durable before the turn begins: after a crash the same messages make up the same turn.
    await journal.record(
      head.id,
      step,
      together.slice(1).map(({ id }) => id),
    );
    return mergeTurns(together);
  };
}

function isSoonAfter(
  { acceptedAtMs: before }: Turn,
  { acceptedAtMs: after }: Turn,
  windowMs: number,
): boolean {
  return before !== undefined && after !== undefined && after - before <= windowMs;
}

/** Together they must not be more than one message may be. */
function fits(turns: readonly Turn[]): boolean {
  const messages = turns.map(({ message }) => message);
  const files = messages.flatMap((message) => message.files);
  const length = messages.reduce((sum, { content }) => sum + content.length + 1, 0);
  const bytes = files.reduce((sum, { data }) => sum + data.byteLength, 0);
  const isFew = turns.length <= maxMessages && files.length <= maxFiles;
  return isFew && length <= maxContentLength && bytes <= maxFileBytes;
}

/**
 * The turn and its identity on the platform are those of the first message, so that whoever shows the turn and its answer
 * knows them as one; place and sender are the same for all, the rest is the newest one's.
 */
function mergeTurns(turns: readonly Turn[]): Turn {
  const [head, ...alongside] = turns;
  if (head === undefined) throw new Error("a turn has a message");
  const last = alongside.at(-1);
  if (last === undefined) return head;
  const messages = turns.map(({ message }) => message);
  const message: InboundMessage = {
    ...last.message,
    platformMessageId: head.message.platformMessageId,
    content: messages
      .map(({ content }) => content.trim())
      .filter((content) => content !== "")
      .join("\n"),
    files: messages.flatMap(({ files }) => files),
    metadata: Object.assign({}, ...messages.map(({ metadata }) => metadata)) as Record<
      string,
      string
    >,
  };
  return { ...head, message, alongside };
}
