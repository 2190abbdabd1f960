import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ProcessLimits } from "../plugin-entry.ts";
import { findCgroupProblem, findWatchProblem, listCgroupsOf } from "../testing/fence-support.ts";
import { isRunning } from "../testing/launch-fake.ts";
import { startAttackedHost } from "../testing/start-attacked-host.ts";

const patient = { timeout: 60_000 };
const mechanisms = [
  { name: "in a control group", cgroups: true, problem: findCgroupProblem() },
  { name: "under watch", cgroups: false, problem: findWatchProblem() },
];

for (const { name, cgroups, problem } of mechanisms) {
  const note = problem === undefined ? "" : `, skipped: ${problem}`;
  describe.skipIf(problem !== undefined)(`${name}${note}`, () => {
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
        "attack-disk",
        { folder: "." },
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
        { diskMb: 8 },
        "wrote more than 8 MiB into its folders (limits.disk_mb)",
      ],
      [
        "attack-processor",
        {},
        { cpuSeconds: 2 },
        "used more than 2 s of processor time (limits.cpu_seconds)",
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
      ["in a session of its own", "attack-daemon"],
      // Only a control group knows of it.
      ...(cgroups ? [["without its environment", "attack-daemon-without-environment"]] : []),
    ] as [string, string][])(
      "a process %s ends with its plugin",
      patient,
      async (_name, action) => {
        await using attacked = await startAttackedHost({ cgroups });
        const pid = Number((await attacked.call("attacker", action)).content);
        expect(await isRunning(pid)).toBe(true);
        await attacked.failure("crash");
        await expect.poll(() => isRunning(pid), patient).toBe(false);
      },
    );

    test("nothing of it is left afterwards", patient, async () => {
      const attacked = await startAttackedHost({
        cgroups,
        attacker: { limits: { processes: 64 } },
      });
      const { content } = await attacked.call("attacker", "attack-daemon");
      await attacked[Symbol.asyncDispose]();
      expect(await isRunning(Number(content))).toBe(false);
      expect(listCgroupsOf(process.pid)).toEqual([]);
    });
  });
}
