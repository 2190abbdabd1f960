import { createKeyedQueue } from "../../base/keyed-queue.ts";
import type { MessageSocket } from "../../base/message-socket.ts";

/**
 * Work a peer causes: in order within a conversation, several conversations at once. Whoever sends faster than it is done,
 * or leaves answers unread, has to wait.
 */
export interface OrderedWork {
  /** `conversation` tells what has to stay in order; `task` must not reject. */
  readonly add: (conversation: string, characters: number, task: () => Promise<void>) => void;
  /** Sends an answer; nobody is told when the connection has ended. */
  readonly answer: (frame: Readonly<Record<string, unknown>>) => void;
}

const concurrency = 32;
/** Messages that are read ahead of the disk. */
const maxWaiting = 64;
const maxWaitingCharacters = 8 * 1024 * 1024;
/** Answers a peer leaves unread before nothing more is read from it. */
const maxUnreadBytes = 1_048_576;

export function createOrderedWork(socket: MessageSocket): OrderedWork {
  // A task that fails is a fault of ours: the peer gets no answer and sends its message again.
  const onError = (): void => socket.close(1011, "something went wrong inside");
  const queue = createKeyedQueue({ concurrency, onError });
  let waiting = 0;
  let waitingCharacters = 0;
  let isPaused = false;

  const steer = (): void => {
    const isFull =
      waiting >= maxWaiting ||
      waitingCharacters >= maxWaitingCharacters ||
      socket.bufferedBytes() > maxUnreadBytes;
    if (isFull === isPaused) return;
    isPaused = isFull;
    if (isFull) socket.pause();
    else socket.resume();
  };

  return {
    add: (conversation, characters, task) => {
      waiting += 1;
      waitingCharacters += characters;
      steer();
      queue.add(conversation, async () => {
        try {
          await task();
        } finally {
          waiting -= 1;
          waitingCharacters -= characters;
          steer();
        }
      });
    },
    answer: (frame) => {
      socket.send(JSON.stringify(frame)).then(steer, () => {});
      steer();
    },
  };
}
