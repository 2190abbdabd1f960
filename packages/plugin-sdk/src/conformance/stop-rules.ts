import { existsSync, readFileSync } from "node:fs";
import { becomes } from "../testing-kit/patience.ts";
import { startProcess } from "../testing-kit/plugin-process.ts";
import type { Bench, Stopping } from "./bench.ts";
import type { Rule, Verdict } from "./rule.ts";
import { broken, kept, notApplicable } from "./rule.ts";

const quietBytes = 2 ** 20;

/** What is expected of the end of every plugin, and what only its end shows. Run last. */
export const stopRules: readonly Rule<Bench>[] = [
  {
    name: "stops-on-sigint",
    level: "must",
    title: "It ends within five seconds after SIGINT",
    remedy: "end the process on SIGINT, when calls under way are done or after three seconds",
    check: async (bench) => {
      const { wasKilled, tookMs, end } = await bench.stopping();
      const seconds = `${(tookMs / 1_000).toFixed(1)} s`;
      return wasKilled
        ? broken(`it still ran after ${seconds}`)
        : kept(`it ${end.words} after ${seconds}`);
    },
  },
  {
    name: "exit-code",
    level: "should",
    title: "It ends with exit code 0 when it is told to",
    remedy: "catch SIGINT, clean up, and exit with 0",
    check: async (bench) => {
      if (bench.facts.kind === "channel") return notApplicable("a channel must: see ends-well");
      return afterItsOwnEnd(({ end }) => (end.code === 0 ? kept() : broken(`it ${end.words}`)))(
        bench,
      );
    },
  },
  {
    name: "leaves-no-files",
    level: "should",
    title: "It removes its socket and its temporary files",
    remedy: "remove the socket and its folder on SIGINT; OpenTalon removes them after you",
    check: afterItsOwnEnd(({ leftovers }) =>
      leftovers.length === 0 ? kept() : broken(`it left ${leftovers.slice(0, 5).join(", ")}`),
    ),
  },
  {
    name: "leaves-no-process",
    level: "must",
    title: "It leaves no process behind",
    remedy: "end the processes it started before it ends, or let them notice that it has",
    check: afterItsOwnEnd(({ hasRelatives }) =>
      hasRelatives ? broken("a process it started outlived it by a second") : kept(),
    ),
  },
  {
    name: "quiet-stdout",
    level: "should",
    title: "It writes nothing to standard output after the handshake",
    remedy: "write the log to standard error: OpenTalon throws away what comes after the handshake",
    check: async (bench) => {
      if (bench.facts.kind === "channel") return notApplicable("a channel may own the terminal");
      const { noise } = await bench.stopping();
      return noise.stdout === 0 ? kept() : broken(`it wrote ${noise.stdout} bytes`);
    },
  },
  {
    name: "quiet-stderr",
    level: "should",
    title: "It writes less than 1 MiB to standard error in this test",
    remedy: "log less: OpenTalon drops lines of a plugin that writes too many",
    check: async (bench) => {
      const { noise } = await bench.stopping();
      const said = `${noise.stderr} bytes`;
      return noise.stderr < quietBytes ? kept(said) : broken(`it wrote ${said}`);
    },
  },
  {
    name: "ends-with-its-host",
    level: "info",
    title: "It ends by itself when the program that started it is gone",
    remedy:
      "look once a second whether the parent process is another one; OpenTalon also kills what outlived an earlier run",
    check: async (bench) => checkOrphan(bench),
  },
];

/** Nothing is known of a plugin that had to be killed. */
function afterItsOwnEnd(look: (stopping: Stopping) => Verdict): (bench: Bench) => Promise<Verdict> {
  return async (bench) => {
    const stopping = await bench.stopping();
    return stopping.wasKilled ? notApplicable("it had to be killed") : look(stopping);
  };
}

const orphanMs = 5_000;

/** Has a shell start the plugin, and kills the shell. */
async function checkOrphan({ command, env, facts, limits }: Bench): Promise<Verdict> {
  if (facts.kind === "channel") return notApplicable("only looked at where there is a handshake");
  if (!existsSync("/bin/sh")) return notApplicable("there is no /bin/sh to start it");
  const parts = typeof command === "string" ? [command] : command;
  const script = '"$@" </dev/null 2>/dev/null & echo "$!" >&2; wait';
  const shell = startProcess({
    command: ["/bin/sh", "-c", script, "sh", ...parts],
    env,
    wholeEnvironment: facts.environmentProblem !== "",
  });
  try {
    await becomes(limits.handshakeMs, () => shell.stdout.lines.length > 0 || shell.hasEnded());
    const pid = Number(shell.stderr.lines[0]);
    if (shell.pid === undefined || shell.hasEnded() || !Number.isInteger(pid))
      return notApplicable("it did not start in a shell");
    process.kill(shell.pid, "SIGKILL");
    const hasEnded = await becomes(orphanMs, () => !isRunning(pid));
    return hasEnded ? kept() : broken(`it still ran after ${orphanMs / 1_000} s`);
  } finally {
    await shell.dispose();
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return !existsSync("/proc/self");
  }
}
