import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { ProviderFailureReason } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { KeyValueStore } from "../../store/ports.ts";
import { isRecord } from "../wire/classify-failure.ts";
import type { Rest } from "./cooldown.ts";

/** What is remembered of one credential. Its text is not part of it. */
export interface CredentialRecord {
  /** Fingerprint of the address the credential was used at; elsewhere it may be welcome. */
  readonly address: string;
  readonly isDisabled: boolean;
  readonly lastUsedMs: number;
  /** By model id; `*` holds for all models. */
  readonly rests: Readonly<Record<string, Rest>>;
}

/** Keeps what is known of credentials beyond the end of the process. */
export interface CredentialMemory extends AsyncDisposable {
  /** `undefined` when nothing readable is kept, or nothing can be read now. Never rejects. */
  readonly load: (key: string) => Promise<CredentialRecord | undefined>;
  /** Writes within `withinMs`, what `toRecord` gives at that moment. Nobody waits for it. */
  readonly note: (key: string, toRecord: () => CredentialRecord, withinMs: number) => void;
}

export interface CredentialMemoryOptions {
  /** Absent: nothing is kept. */
  readonly keyValue: Pick<KeyValueStore, "get" | "set"> | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

const namespace = "core/credentials";
const retryMs = 60_000;

/** Writes behind the turns' backs: many changes become one write, and the last ones are written at disposal. */
export function createCredentialMemory(options: CredentialMemoryOptions): CredentialMemory {
  const { keyValue, clock, log } = options;
  const changed = new Map<string, () => CredentialRecord>();
  let writing = Promise.resolve();
  let dueAtMs = Number.POSITIVE_INFINITY;
  let cancelTimer = (): void => undefined;

  const write = async (store: Pick<KeyValueStore, "set">): Promise<void> => {
    const entries = [...changed];
    changed.clear();
    for (const [key, toRecord] of entries) {
      try {
        await store.set(namespace, key, JSON.stringify(toRecord()));
      } catch (error) {
        log.warn({ err: error }, "what is known of a credential could not be written");
        if (!changed.has(key)) changed.set(key, toRecord);
      }
    }
  };
  const schedule = (store: Pick<KeyValueStore, "set">, withinMs: number): void => {
    const wantedAtMs = clock.now() + withinMs;
    if (wantedAtMs >= dueAtMs) return;
    cancelTimer();
    dueAtMs = wantedAtMs;
    cancelTimer = clock.after(withinMs, () => {
      dueAtMs = Number.POSITIVE_INFINITY;
      writing = writing.then(async () => {
        await write(store);
        if (changed.size > 0) schedule(store, retryMs);
      });
    });
  };

  return {
    load: async (key) => {
      try {
        return parseRecord(await keyValue?.get(namespace, key));
      } catch (error) {
        log.warn({ err: error }, "what is known of a credential could not be read");
        return undefined;
      }
    },
    note: (key, toRecord, withinMs) => {
      if (keyValue === undefined) return;
      changed.set(key, toRecord);
      schedule(keyValue, withinMs);
    },
    [Symbol.asyncDispose]: async () => {
      cancelTimer();
      dueAtMs = Number.NEGATIVE_INFINITY;
      await writing;
      if (keyValue !== undefined) await write(keyValue);
    },
  };
}

/** Tells two texts apart without giving either away. */
export function toFingerprint(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

const reasons: ReadonlySet<string> = new Set<ProviderFailureReason>([
  "rate-limited",
  "billing",
  "unauthorized",
  "overloaded",
]);

function parseRecord(text: string | undefined): CredentialRecord | undefined {
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  if (!isRecord(value) || typeof value["address"] !== "string") return undefined;
  const { address, isDisabled, lastUsedMs, rests } = value;
  const entries = isRecord(rests) ? Object.entries(rests) : [];
  return {
    address,
    isDisabled: isDisabled === true,
    lastUsedMs: typeof lastUsedMs === "number" ? lastUsedMs : 0,
    rests: Object.fromEntries(entries.filter((entry): entry is [string, Rest] => isRest(entry[1]))),
  };
}

function isRest(value: unknown): value is Rest {
  if (!isRecord(value)) return false;
  const { refusals, reason, restsUntilMs, avoidedUntilMs } = value;
  const numbers = [refusals, restsUntilMs, avoidedUntilMs];
  return numbers.every(Number.isFinite) && typeof reason === "string" && reasons.has(reason);
}
