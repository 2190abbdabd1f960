/** `make kills`: kills the channel process, the peer and the core 20 times each under 50 messages a second, and counts. */
import { parseArgs } from "node:util";
import { type PeerKind, peerKinds } from "../../e2e/support/kills/kill-peers.ts";
import { type KillLedger, runKills, victims } from "../../e2e/support/kills/run-kills.ts";
import { printTable } from "../support/print-table.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    channel: { type: "string", multiple: true, default: [...peerKinds] },
  },
});

const ledgers: KillLedger[] = [];
for (const kind of peerKinds.filter((each: PeerKind) => values.channel.includes(each))) {
  for (const victim of victims) {
    process.stderr.write(`${kind}: killing the ${victim}\n`);
    ledgers.push(await runKills({ kind, victim, kills: Number(values.kills) }));
  }
}

printTable(
  ["channel", "killed", "kills", "said", "acknowledged", "answered", "unknown", "lost", "twice"],
  ledgers.map((ledger) => [
    ledger.kind,
    ledger.kind === "process" && ledger.victim === "peer" ? "channel process" : ledger.victim,
    String(ledger.kills),
    String(ledger.said),
    String(ledger.acknowledged),
    String(ledger.answered),
    String(ledger.reportedUnknown),
    String(ledger.lost),
    String(ledger.doubled),
  ]),
);
process.exitCode = ledgers.every(({ lost, doubled }) => lost + doubled === 0) ? 0 : 1;
