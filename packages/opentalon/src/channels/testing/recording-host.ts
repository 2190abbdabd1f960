import type { AcceptOutcome, ChannelHost } from "../../domain/channel.ts";
import type { InboundMessage } from "../../domain/message.ts";

export type GivenMessage = Omit<InboundMessage, "channel">;

/** A host that keeps what a channel hands in, and answers as the test decides. */
export interface RecordingHost extends ChannelHost {
  readonly messages: readonly GivenMessage[];
  readonly contents: () => readonly string[];
  /** Contents of those that were accepted: each is one turn. */
  readonly accepted: () => readonly string[];
  readonly finishedCount: () => number;
  /** Decides about messages from now on. */
  readonly answerWith: (
    decide: (message: GivenMessage) => AcceptOutcome | Promise<AcceptOutcome>,
  ) => void;
}

export function createRecordingHost(): RecordingHost {
  const messages: GivenMessage[] = [];
  const accepted: string[] = [];
  let finishedCount = 0;
  let decide: (message: GivenMessage) => AcceptOutcome | Promise<AcceptOutcome> = () => ({
    kind: "accepted",
  });
  return {
    messages,
    contents: () => messages.map(({ content }) => content),
    accepted: () => accepted,
    finishedCount: () => finishedCount,
    answerWith: (next) => {
      decide = next;
    },
    accept: async (message) => {
      messages.push(message);
      const outcome = await decide(message);
      if (outcome.kind === "accepted") accepted.push(message.content);
      return outcome;
    },
    finished: () => {
      finishedCount += 1;
    },
  };
}

/** An inbox that knows identities: the second delivery of one is a duplicate. */
export function rememberIdentities(): (message: GivenMessage) => AcceptOutcome {
  const seen = new Set<string>();
  return ({ platformMessageId }) => {
    if (seen.has(platformMessageId)) return { kind: "duplicate" };
    seen.add(platformMessageId);
    return { kind: "accepted" };
  };
}
