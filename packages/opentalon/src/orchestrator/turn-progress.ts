import type { TranscriptMessage } from "../domain/session.ts";
import { type StepJournal, toCallStep } from "../domain/step-journal.ts";
import type { ToolResult } from "../domain/tool.ts";
import { type Produced, rememberTools } from "./turn-result.ts";

/** What a turn has come to so far, in case the person stops it. */
export interface TurnProgress {
  /** The same journal; what it records is remembered. */
  readonly watch: (journal: StepJournal) => StepJournal;
  readonly onMessages: (messages: readonly TranscriptMessage[]) => void;
  /** The turn as one that was stopped: what its tools did is remembered, calls under way have an unknown outcome. */
  readonly stop: () => Produced;
}

const words = "Stopped.";
const unknownOutcome: ToolResult = {
  content:
    "error: the person stopped the turn while this call ran. It may or may not have taken effect.",
  isError: true,
};

export function createTurnProgress(): TurnProgress {
  const recorded = new Map<string, unknown>();
  let messages: readonly TranscriptMessage[] = [];

  const findResults = (): readonly TranscriptMessage[] => {
    const last = messages.at(-1);
    if (last?.role !== "assistant") return [];
    const round = messages.filter(({ role }) => role === "assistant").length;
    return last.toolCalls.map((call, index): TranscriptMessage => {
      const result = recorded.get(toCallStep(round, index)) as ToolResult | undefined;
      return { role: "tool", callId: call.id, tool: call.name, ...(result ?? unknownOutcome) };
    });
  };

  return {
    watch: (journal) => ({
      find: (step) => {
        const earlier = journal.find(step);
        if (earlier?.state === "recorded") recorded.set(step, earlier.value);
        return earlier;
      },
      begin: journal.begin,
      record: async (step, value) => {
        await journal.record(step, value);
        recorded.set(step, value);
      },
    }),
    onMessages: (news) => {
      messages = news;
    },
    stop: () => ({
      reply: { content: words, metadata: { type: "system", action: "stop" } },
      session: rememberTools([...messages, ...findResults()], words),
      outcome: "stopped",
    }),
  };
}
