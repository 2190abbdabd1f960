import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ProcessLimits } from "../plugin-entry.ts";
import { isRunning } from "../testing/launch-fake.ts";
import { startAttackedHost } from "../testing/start-attacked-host.ts";
import { findCgroups } from "./find-cgroups.ts";
import { hasProcessTable } from "./process-table.ts";

const patient = { timeout: 60_000 };
const places = findCgroups({ ownName: `opentalon-${process.pid}` });
const canBound = places?.memory !== undefined && places.pids !== undefined;

const mechanisms = [
  {
    name: "in a control group",
    cgroups: true,
    isThere: canBound,
    missing: "no control group can be written here",
  },
  {
    name: "under watch",
    cgroups: false,
    isThere: hasProcessTable(),
    missing: "there is no /proc here",
  },
];

for (const { name, cgroups, isThere, missing } of mechanisms) {
  const note = isThere ? "" : `, skipped: ${missing}`;
  describe.skipIf(!isThere)(`${name}${note}`, () => {
    test.each<[string, Record<string, string>, ProcessLimits, string]>([
      [
        "attack-memory",
        {},
        { memoryMb: 128 },
        "used more than 128 MiB of memory (limits.memory_mb)",
      ],
      [
        "attack-memory-of-many",
        {},
        { memoryMb: 256 },
        "used more than 256 MiB of memory (limits.memory_mb)",
      ],
      [
        "attack-processes",
        {},
        { processes: 40 },
        "had more than 40 processes and threads (limits.processes)",
      ],
      [
        "attack-fork-bomb",
        {},
        { processes: 40 },
        "had more than 40 processes and threads (limits.processes)",
      ],
      [
        "attack-descriptors",
        {},
        { openFiles: 256 },
        "had all of its 256 files and connections open (limits.open_files)",
      ],
      [
        "attack-disk",
        {},
        { diskMb: 32 },
        "wrote more than 32 MiB into its folders (limits.disk_mb)",
      ],
      [
        "attack-removed-files",
        {},
        { diskMb: 32 },
        "wrote more than 32 MiB into its folders (limits.disk_mb)",
      ],
      [
        "attack-entries",
        {},
        { diskMb: 32 },
        "wrote more than 32 MiB into its folders (limits.disk_mb)",
      ],
      [
        "attack-processor",
        {},
        { cpuSeconds: 3 },
        "used more than 3 s of processor time (limits.cpu_seconds)",
      ],
    ])(
      "%s ends the plugin, in words, and nothing else",
      patient,
      async (action, given, limits, words) => {
        await using attacked = await startAttackedHost({ cgroups, attacker: { limits } });
        const failure = attacked.failure(action, given);
        expect(await failure).toBe(`the plugin "attacker" ${words} and was ended`);
        expect(attacked.host.statuses()[0]).toMatchObject({
          state: "restarting",
          problem: expect.stringContaining(words) as string,
        });
        expect((await attacked.call("neighbour", "echo")).error).toBe("");
      },
    );

    test(
      "a file larger than its folders may hold is cut off, wherever it lies",
      patient,
      async () => {
        await using attacked = await startAttackedHost({
          cgroups,
          attacker: { limits: { diskMb: 32 } },
        });
        const path = join(attacked.folder, "large");
        const { content } = await attacked.call("attacker", "attack-large-file", { path });
        expect(content).toBe("EFBIG");
        expect(statSync(path).size).toBe(32 * 2 ** 20);
      },
    );

    test.each([
      ["in a session of its own", {}],
      ...(cgroups ? [["that has emptied its environment", { empty: "yes" }] as const] : []),
    ] as const)("a process %s ends with its plugin", patient, async (_name, given) => {
      await using attacked = await startAttackedHost({ cgroups });
      const { content } = await attacked.call("attacker", "attack-daemon", given);
      const pid = Number(content);
      expect(await isRunning(pid)).toBe(true);
      await attacked.failure("crash");
      await expect.poll(() => isRunning(pid), patient).toBe(false);
    });

    test("nothing of it is left afterwards", patient, async () => {
      const attacked = await startAttackedHost({
        cgroups,
        attacker: { limits: { processes: 64 } },
      });
      const { content } = await attacked.call("attacker", "attack-daemon");
      await attacked[Symbol.asyncDispose]();
      expect(await isRunning(Number(content))).toBe(false);
      const groups = Object.values(places ?? {}).flatMap((place?: string) =>
        place === undefined ? [] : readdirSync(place),
      );
      expect(groups.filter((each) => each.startsWith(`opentalon-${process.pid}-`))).toEqual([]);
    });
  });
}
