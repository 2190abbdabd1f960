import type { SharedV4ProviderMetadata } from "@ai-sdk/provider";
import type { ModelReply } from "../../domain/model.ts";

/** What a model thought before it called tools, signed by its provider; it wants it back with the results. */
export interface Thought {
  readonly text: string;
  readonly metadata: SharedV4ProviderMetadata | undefined;
}

export interface ThoughtRecord {
  readonly thoughts: readonly Thought[];
  /** Per tool call of the reply, in order. */
  readonly callMetadata: readonly (SharedV4ProviderMetadata | undefined)[];
}

/**
 * Keeps thoughts while their tools run. It forgets the oldest, and everything when the process ends: providers can go on
 * without, only less well.
 */
export interface ThoughtMemory {
  readonly keep: (sessionKey: string, reply: ModelReply, record: ThoughtRecord) => void;
  readonly find: (sessionKey: string, model: string, callId: string) => ThoughtRecord | undefined;
}

const maxLength = 8 * 1024 * 1024;

export function createThoughtMemory(): ThoughtMemory {
  const records = new Map<string, { readonly record: ThoughtRecord; readonly length: number }>();
  let total = 0;
  const forget = (key: string): void => {
    total -= records.get(key)?.length ?? 0;
    records.delete(key);
  };
  return {
    keep: (sessionKey, { model, toolCalls: [call] }, record) => {
      const isEmpty =
        record.thoughts.length === 0 && record.callMetadata.every((data) => data === undefined);
      if (call === undefined || isEmpty) return;
      const key = JSON.stringify([sessionKey, model, call.id]);
      const length = key.length + JSON.stringify(record).length;
      if (length > maxLength / 8) return;
      forget(key);
      records.set(key, { record, length });
      total += length;
      for (const oldest of records.keys()) {
        if (total <= maxLength) break;
        forget(oldest);
      }
    },
    find: (sessionKey, model, callId) =>
      records.get(JSON.stringify([sessionKey, model, callId]))?.record,
  };
}
