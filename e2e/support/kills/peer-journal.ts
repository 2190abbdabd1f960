import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** How a peer talks: so many messages, one after the other at this pace. */
export interface PeerSettings {
  readonly journal: string;
  readonly messages: number;
  readonly conversations: number;
  readonly intervalMs: number;
}

/** One line of a peer's journal, written before the core is told. */
export type PeerNote =
  | { readonly kind: "acked"; readonly id: string }
  | { readonly kind: "reply"; readonly deliveryId: string; readonly inReplyTo: string };

export function readPeerNotes(journal: string): readonly PeerNote[] {
  if (!existsSync(journal)) return [];
  const lines = readFileSync(journal, "utf8").split("\n");
  return lines.filter((line) => line.endsWith("}")).map((line) => JSON.parse(line) as PeerNote);
}

/** What a peer knows, also from before it was killed. */
export interface PeerJournal {
  readonly note: (line: PeerNote) => void;
  /** The next message the core has not acknowledged, of those that are not under way. */
  readonly findUnheard: (
    settings: PeerSettings,
    underWay: ReadonlySet<string>,
  ) => { readonly id: string; readonly conversation: string } | undefined;
  /** The newest delivery; empty when there was none. */
  readonly last: () => string;
}

export function createPeerJournal(path: string): PeerJournal {
  const acked = new Set<string>();
  let last = "";
  const remember = (line: PeerNote): void => {
    if (line.kind === "acked") acked.add(line.id);
    else last = line.deliveryId;
  };
  for (const line of readPeerNotes(path)) remember(line);
  return {
    note: (line) => {
      remember(line);
      // A line that a kill tore apart ends where the next one begins.
      appendFileSync(path, `\n${JSON.stringify(line)}`);
    },
    findUnheard: ({ messages, conversations }, underWay) => {
      for (let index = 0; index < messages; index += 1) {
        const id = `m${index}`;
        if (acked.has(id) || underWay.has(id)) continue;
        return { id, conversation: `room-${index % conversations}` };
      }
      return undefined;
    },
    last: () => last,
  };
}
