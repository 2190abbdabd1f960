import type { ImapFlow } from "imapflow";

export interface MailMarkerOptions {
  /** Where the mails go then; they stay where they are when empty. */
  readonly moveTo: string;
  /** The server did not let it be done. */
  readonly onProblem: (error: unknown) => void;
}

/** Marks mails as read while the next ones are taken. */
export interface MailMarker {
  readonly add: (uid: number) => void;
  /** Resolves when all of them are marked, or cannot be. */
  readonly done: () => Promise<void>;
}

/** Commands have to stay short. */
const mostAtOnce = 100;

/** What is added while the server is busy goes to it in one command. */
export function createMailMarker(
  client: ImapFlow,
  { moveTo, onProblem }: MailMarkerOptions,
): MailMarker {
  const waiting: number[] = [];
  let last: Promise<void> | undefined;
  const markAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const range = waiting.splice(0, mostAtOnce).join(",");
      await mark(client, range, moveTo).catch(onProblem);
    }
    last = undefined;
  };
  return {
    add: (uid) => {
      waiting.push(uid);
      last ??= markAll();
    },
    done: async () => last,
  };
}

async function mark(client: ImapFlow, range: string, moveTo: string): Promise<void> {
  const isMarked = await client.messageFlagsAdd(range, ["\\Seen"], { uid: true });
  if (!isMarked) throw new Error("the server does not let it be marked as read");
  if (moveTo === "") return;
  const moved = await client.messageMove(range, moveTo, { uid: true });
  if (moved === false) throw new Error(`the server does not let it be moved to ${moveTo}`);
}
