import { describe, expect, it } from "vitest";
import { peerKinds } from "./support/kills/kill-peers.ts";
import { runKills, toKillLine, victims } from "./support/kills/run-kills.ts";

// As often as it takes to see that somebody comes back; `make kills` does it twenty times.
const kills = 3;

describe.each(peerKinds)("a channel over %s, under 50 messages a second", (kind) => {
  it.each(victims)(
    "loses nothing and answers nothing twice while the %s is killed",
    async (victim) => {
      const ledger = await runKills({ kind, victim, kills });
      console.log(toKillLine(ledger));
      const { said, answered, reportedUnknown, lost, doubled } = ledger;
      expect({ lost, doubled }).toEqual({ lost: 0, doubled: 0 });
      expect(answered + reportedUnknown).toBe(said);
      // Who knows no repeats may miss what was on its way at a kill.
      if (kind !== "forgetful webhook") expect(reportedUnknown).toBe(0);
    },
  );
});
