import { describe, expect, it, vi } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { StoreError, type StoreErrorCode } from "../base/errors.ts";
import { createPatientStore } from "./patient-store.ts";
import type { Store } from "./ports.ts";

/** A store whose outbox and inbox fail with the given codes, one after the other, before they work. */
function failing(...codes: StoreErrorCode[]) {
  const calls: string[] = [];
  const act = (name: string) => (): Promise<never> => {
    calls.push(name);
    const code = codes.shift();
    if (code !== undefined) return Promise.reject(new StoreError(code, `failed with ${code}`));
    return Promise.resolve(true as never);
  };
  const store = {
    inbox: { accept: act("accept") },
    journal: { record: act("record") },
    outbox: { markSending: act("markSending") },
    sessions: {},
    commitTurn: act("commit"),
  } as unknown as Store;
  const clock = createManualClock();
  const giveUp = new AbortController();
  const log = createSilentLog();
  const patient = createPatientStore({ store, clock, log, signal: giveUp.signal });
  const until = async (count: number): Promise<void> =>
    vi.waitFor(() => {
      clock.advance(30_000);
      expect(calls).toHaveLength(count);
    });
  return { patient, calls, giveUp, until };
}

describe("the patient store", () => {
  it("waits out a full disk and a database that is away, however long", async () => {
    const away: StoreErrorCode[] = [
      "STORE_FULL",
      "STORE_UNREACHABLE",
      "STORE_FULL",
      "STORE_LOCKED",
      "STORE_FULL",
    ];
    const { patient, until } = failing(...away);
    const marking = patient.outbox.markSending("1");
    await until(6);
    expect(await marking).toBe(true);
  });

  it("gives up after three failures of another kind, and at once when it was fenced off", async () => {
    const broken = failing("STORE_FAILED", "STORE_FAILED", "STORE_FAILED", "STORE_FAILED");
    const recording = broken.patient.journal.record("t", "s", 1);
    recording.catch(() => undefined);
    await broken.until(3);
    await expect(recording).rejects.toThrow("STORE_FAILED");

    const fenced = failing("STORE_FENCED");
    await expect(fenced.patient.commitTurn({} as never)).rejects.toThrow("STORE_FENCED");
    expect(fenced.calls).toEqual(["commit"]);
  });

  it("stops waiting when told to", async () => {
    const { patient, calls, giveUp } = failing("STORE_FULL", "STORE_FULL");
    const committing = patient.commitTurn({} as never);
    committing.catch(() => undefined);
    await vi.waitFor(() => expect(calls).toHaveLength(1));
    giveUp.abort();
    await expect(committing).rejects.toThrow("STORE_FULL");
  });

  it("tells whoever sends a message at once that it was not stored", async () => {
    const { patient } = failing("STORE_FULL");
    await expect(patient.inbox.accept({} as never, "s")).rejects.toThrow("STORE_FULL");
  });
});
