import { it } from "vitest";
import type { Channel } from "../../../domain/channel.ts";
import type { OutboundMessage } from "../../../domain/message.ts";
import type { Turn } from "../../../domain/turn.ts";
import { createRecordingHost, type GivenMessage, type RecordingHost } from "../recording-host.ts";
import type { Ability, ChannelBench, Lacks } from "./channel-bench.ts";

/** A bench whose channel is started. */
export interface StartedBench {
  readonly bench: ChannelBench;
  readonly host: RecordingHost;
}

export type OpenBench = () => Promise<ChannelBench>;

export const patient = { timeout: 15_000, interval: 5 };

export async function startBench(open: OpenBench): Promise<StartedBench> {
  const bench = await open();
  const host = createRecordingHost();
  await bench.channel.start(host);
  return { bench, host };
}

/** Makes a test of an ability, or leaves it out under a title that says why. */
export function createAbilityTest(
  lacks: Lacks | undefined,
): (ability: Ability, title: string, test: () => Promise<void>) => void {
  return (ability, title, test) => {
    const reason = lacks === undefined ? "its bench does not say" : lacks[ability];
    const note = reason === undefined ? "" : ` (${ability}: none, ${reason})`;
    it.skipIf(reason !== undefined)(`${title}${note}`, test);
  };
}

/** @throws Error when the bench neither has it nor says why not. */
export function requireAbility<T>(ability: T | undefined, name: string): T {
  if (ability === undefined) throw new Error(`the bench has no ${name}, and does not say why`);
  return ability;
}

export function toReply(
  channel: Pick<Channel, "name">,
  asked: GivenMessage | undefined,
  content: string,
  more: Partial<OutboundMessage> = {},
): OutboundMessage {
  return {
    channel: channel.name,
    conversationId: asked?.conversationId ?? "c",
    threadId: asked?.threadId ?? "",
    content,
    files: [],
    // As a turn answers: with what came, and what it answers.
    metadata: { ...asked?.metadata, in_reply_to: asked?.platformMessageId ?? "" },
    ...more,
  };
}

export function toTurn(channel: Pick<Channel, "name">, message: GivenMessage): Turn {
  return {
    id: `turn-of-${message.platformMessageId}`,
    sessionKey: message.conversationId,
    attempt: 1,
    message: { ...message, channel: channel.name },
  };
}

const againAfterMs = 20;
const maxTries = 1_000;

/** As the outbox does: what certainly did not arrive is sent again, under the same name. */
export async function deliver(
  channel: Channel,
  message: OutboundMessage,
  deliveryId: string,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await channel.send(message, deliveryId);
      return;
    } catch (error) {
      const { outcome } = error as { outcome?: string };
      const isUndecided = outcome === "unknown" && channel.knowsRepeats !== true;
      if (isUndecided || outcome === undefined || tries === maxTries) throw error;
      await new Promise((resolve) => setTimeout(resolve, againAfterMs));
    }
  }
}

/** Contents that tell their place. */
export function toContents(count: number, word: string): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${word} ${index}`);
}
