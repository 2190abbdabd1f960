import type { ClientApi } from "./client-api.ts";
import { toMessage } from "./matrix-error.ts";
import type { SyncState } from "./sync-state.ts";
import { toTextContent } from "./to-content.ts";
import { toTransactionId } from "./transaction-id.ts";

export interface TellEncryptedOptions {
  readonly api: Pick<ClientApi, "sendEvent">;
  readonly state: SyncState;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

const encryptedWords =
  "This room is encrypted, and I cannot read encrypted messages. Please write to me in a room without encryption; a new one has a switch for it.";

/** Says in a room, once, that nobody is answered there. */
export function createTellEncrypted({
  api,
  state,
  log,
  signal,
}: TellEncryptedOptions): (roomId: string) => void {
  return (roomId: string): void => {
    if (state.toldRooms.get(roomId) === true) return;
    state.toldRooms.set(roomId, true);
    log(
      `the room ${roomId} is encrypted: what is written there cannot be read and is not answered`,
    );
    const place = { threadId: "", replyTo: "", mentioned: "" };
    const content = toTextContent(encryptedWords, { kind: "m.notice", place, marks: {} });
    const transactionId = toTransactionId("encrypted", roomId);
    api
      .sendEvent({ roomId, type: "m.room.message", transactionId, content }, signal)
      .catch((error: unknown) => log(`${roomId} could not be told so: ${toMessage(error)}`));
  };
}
