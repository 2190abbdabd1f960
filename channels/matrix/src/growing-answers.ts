import type { KeptFile } from "./kept-file.ts";
import { member, toObject, toText } from "./read-json.ts";
import { createRecentMap } from "./recent-map.ts";

/** An answer that was shown while it grew. */
export interface GrowingAnswer {
  /** Which answer; another one to the same message has another. */
  readonly live: string;
  /** The event that shows it; empty while nobody knows whether it was made. */
  readonly eventId: string;
  /** The delivery that ended it; empty while it grows. */
  readonly deliveryId: string;
}

/**
 * By the message that is answered, what is shown of the answer already. Kept on disk, so that after a crash in the middle
 * the answer takes the place of its beginning.
 */
export interface GrowingAnswers {
  readonly find: (key: string) => Promise<GrowingAnswer | undefined>;
  readonly set: (key: string, answer: GrowingAnswer) => Promise<void>;
}

const maxAnswers = 200;

export function createGrowingAnswers(file: KeptFile): GrowingAnswers {
  const loading = file.read().then((kept) =>
    createRecentMap<GrowingAnswer>(
      maxAnswers,
      Object.entries(toObject(kept)).map(([key, answer]) => [
        key,
        {
          live: toText(member(answer, "live")),
          eventId: toText(member(answer, "event_id")),
          deliveryId: toText(member(answer, "delivery_id")),
        },
      ]),
    ),
  );
  let saving: Promise<void> = Promise.resolve();
  return {
    find: async (key) => (await loading).get(key),
    set: async (key, answer) => {
      const answers = await loading;
      answers.set(key, answer);
      const written = saving.then(() =>
        file.write(
          Object.fromEntries(
            answers
              .entries()
              .map(([name, { live, eventId, deliveryId }]) => [
                name,
                { live, event_id: eventId, delivery_id: deliveryId },
              ]),
          ),
        ),
      );
      saving = written.catch(() => undefined);
      await written;
    },
  };
}
