import type { Turn } from "../domain/turn.ts";

/** The reason with which a turn's signal aborts when the person wants no answer any more. */
export interface StopRequest {
  readonly kind: "stopped";
  /**
   * The messages that said so. Whoever takes them answers them with the turn; one that nobody takes is answered by a turn
   * of its own.
   */
  readonly take: () => readonly Turn[];
}

/** Why the signal aborted, if the person stopped the turn. */
export function findStop({ aborted, reason }: AbortSignal): StopRequest | undefined {
  const isStop = aborted && (reason as { kind?: unknown } | undefined)?.kind === "stopped";
  return isStop ? (reason as StopRequest) : undefined;
}
