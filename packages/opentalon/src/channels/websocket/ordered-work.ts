import type { MessageSocket } from "../../base/message-socket.ts";

/** Work a peer causes, one piece after another; whoever sends faster than it is done, or leaves answers unread, has to wait. */
export interface OrderedWork {
  /** `task` must not reject. */
  readonly add: (characters: number, task: () => Promise<void>) => void;
  /** Sends an answer; nobody is told when the connection has ended. */
  readonly answer: (frame: Readonly<Record<string, unknown>>) => void;
}

/** Messages that are read ahead of the disk. */
const maxWaiting = 64;
const maxWaitingCharacters = 8 * 1024 * 1024;
/** Answers a peer leaves unread before nothing more is read from it. */
const maxUnreadBytes = 1_048_576;

export function createOrderedWork(socket: MessageSocket): OrderedWork {
  let tail = Promise.resolve();
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
    add: (characters, task) => {
      waiting += 1;
      waitingCharacters += characters;
      steer();
      tail = tail.then(async () => {
        await task();
        waiting -= 1;
        waitingCharacters -= characters;
        steer();
      });
    },
    answer: (frame) => {
      socket.send(JSON.stringify(frame)).then(steer, () => {});
      steer();
    },
  };
}
