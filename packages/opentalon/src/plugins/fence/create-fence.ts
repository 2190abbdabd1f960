import { homedir, tmpdir } from "node:os";
import { basename, resolve } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ProcessEnd } from "../child-process.ts";
import type { ProcessLimits } from "../plugin-entry.ts";
import type { Cgroup } from "./cgroups.ts";
import { createCgroup } from "./cgroups.ts";
import { endMarked } from "./end-marked.ts";
import { findCgroups } from "./find-cgroups.ts";
import { findProgram } from "./find-program.ts";
import type { Breach } from "./limits.ts";
import { describeBreach, limitKeys } from "./limits.ts";
import { probeBubblewrap } from "./probe-bubblewrap.ts";
import { hasProcessTable, readProcesses } from "./process-table.ts";
import { createProcessTree } from "./process-tree.ts";
import { findReadableFolders } from "./readable-folders.ts";
import { toSandboxedCommand } from "./sandbox.ts";
import { toBoundedCommand } from "./start-script.ts";
import { createWatchAll } from "./watch-all.ts";
import type { Members } from "./watch.ts";
import { createWatch } from "./watch.ts";

/** Bounds what child processes may use and see, with what this machine has for that. */
export interface Fence {
  /**
   * Prepares the start of one program.
   * @throws Error, in words for the operator: there is no such program, or it may run only in a sandbox there is not.
   */
  readonly enclose: (plan: EnclosurePlan) => Promise<Enclosure>;
}

export interface EnclosurePlan {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** Given to this process alone, as its TMPDIR. */
  readonly temporaryFolder: string;
  readonly limits: ProcessLimits;
  readonly sandbox: "off" | "strict";
  readonly network: boolean;
  readonly programFolder?: string | undefined;
  /** Written to like the working directory. */
  readonly dataFolder?: string | undefined;
}

/** The fence around one process and all it starts. */
export interface Enclosure {
  /** What to run instead. */
  readonly command: readonly string[];
  /** Its control groups, as folders: whoever is in there belongs to it. */
  readonly cgroups: readonly string[];
  /** How to ask it to end, where a signal to its process group would end what stands around it. */
  readonly interrupt?: ((pid: number) => void) | undefined;
  /** Whether what stands around it ends with 128 and the number of the signal that ended the program. */
  readonly exitCodesTellSignals: boolean;
  /** Watches the bounds from now on; tells once what the program did, in words that follow its name. */
  readonly watch: (pid: number, onBreach: (problem: string) => void) => void;
  /** Ends all that is left of it, as far as that is possible at once. */
  readonly kill: () => void;
  /** Why it ended, when a bound was the reason. Call it before `remove`. */
  readonly explainEnd: (end: ProcessEnd) => string | undefined;
  /** Ends what hides, and leaves nothing behind. Never rejects. */
  readonly remove: () => Promise<void>;
}

export interface FenceDependencies {
  /** Where this program looks for others. */
  readonly searchPath: string;
  /** Holds what no program in a sandbox may see. */
  readonly stateDirectory?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** `false` leaves control groups alone, as on a machine where they cannot be written. */
  readonly cgroups?: boolean | undefined;
}

const defaultTemporaryMb = 256;
/** What bubblewrap itself needs of the processes. */
const sandboxProcesses = 2;
const killRounds = 5;

export function createFence(dependencies: FenceDependencies): Fence {
  const { searchPath, stateDirectory, clock, log } = dependencies;
  let found: ReturnType<typeof probe> | undefined;
  let bubblewrap: ReturnType<typeof probeBubblewrap> | undefined;
  const said = new Set<string>();
  const sayOnce = (text: string, details: Record<string, unknown> = {}): void => {
    if (!said.has(text)) log.info(details, text);
    said.add(text);
  };

  const probe = (): {
    readonly places: ReturnType<typeof findCgroups>;
    readonly nice: string | undefined;
    readonly canWatch: boolean;
  } => ({
    places:
      dependencies.cgroups === false
        ? undefined
        : findCgroups({ ownName: `opentalon-${process.pid}` }),
    nice: findQuietly("nice", searchPath),
    canWatch: hasProcessTable(),
  });

  const watchAll = createWatchAll({ clock, searchPath });

  const enclose = async (plan: EnclosurePlan): Promise<Enclosure> => {
    const { limits, temporaryFolder, workingDirectory, environment, sandbox } = plan;
    const program = findProgram(plan.command[0] ?? "", environment["PATH"] ?? searchPath);
    const { places, nice, canWatch } = (found ??= probe());
    const isStrict = sandbox === "strict";
    const own = [workingDirectory, temporaryFolder, plan.dataFolder].filter(
      (folder) => folder !== undefined,
    );
    let command = plan.command;
    if (isStrict) {
      const probed = await (bubblewrap ??= probeBubblewrap(searchPath));
      if (probed.kind === "missing") throw new Error(probed.problem);
      command = toSandboxedCommand({
        bubblewrap: probed.command,
        command: [program, ...plan.command.slice(1)],
        network: plan.network,
        readable: findReadableFolders({
          command: plan.command,
          searchPath: environment["PATH"] ?? searchPath,
          programFolder: plan.programFolder,
          hidden: [
            resolve("."),
            homedir(),
            tmpdir(),
            ...(stateDirectory === undefined ? [] : [stateDirectory]),
          ],
        }),
        writable: [...new Set(own)],
        workingDirectory,
        temporaryMb: Math.min(limits.diskMb ?? defaultTemporaryMb, defaultTemporaryMb),
      });
    }

    const cgroup = places && makeCgroup(places, plan, isStrict);
    const enforced = cgroup?.enforces ?? [];
    const unenforced = (["memory", "processes"] as const).filter(
      (each) => !enforced.includes(each),
    );
    if (!canWatch)
      sayOnce(
        "This system does not tell what processes use: limits of memory, processes and processor time of a whole plugin have no effect",
      );
    else if (unenforced.length > 0)
      sayOnce(
        "No control group can be written here, so these limits of plugins are watched, and may be passed for a moment before a plugin is ended",
        { limits: unenforced.map((each) => limitKeys[each]) },
      );

    let members: Members | undefined = cgroup && { kind: "cgroup", cgroup };
    let stopWatching = (): void => {};
    let reported: Breach | undefined;
    return {
      command: toBoundedCommand({
        limits,
        cgroups: cgroup?.folders ?? [],
        nice,
        environment,
        command,
      }),
      cgroups: cgroup?.folders ?? [],
      interrupt: isStrict ? interruptInside : undefined,
      exitCodesTellSignals: isStrict,
      watch: (pid, onBreach) => {
        members ??= { kind: "tree", tree: createProcessTree(pid) };
        if (!canWatch) return;
        const watch = createWatch({
          limits,
          members,
          folders: own,
          clock,
          onBreach: (breach) => {
            reported = breach;
            onBreach(describeBreach(breach, limits));
          },
        });
        const tree =
          members.kind === "tree" ? { processes: members.tree, temporaryFolder } : undefined;
        const forget = watchAll.add({ watch, tree, isUrgent: unenforced.length > 0 });
        stopWatching = () => {
          watch.stop();
          forget();
        };
      },
      kill: () => {
        if (members?.kind === "cgroup") members.cgroup.kill();
        else if (members?.kind === "tree" && canWatch) killTree(members.tree);
      },
      explainEnd: (end) => {
        stopWatching();
        const breach = reported ?? cgroup?.breach() ?? toBreach(end);
        return breach && describeBreach(breach, limits);
      },
      remove: async () => {
        stopWatching();
        if (cgroup !== undefined) await cgroup.remove();
        // The end of a sandbox is the end of all that is in it.
        else if (!isStrict && canWatch) await endMarked(temporaryFolder, searchPath);
      },
    };
  };

  const makeCgroup = (
    places: NonNullable<ReturnType<typeof findCgroups>>,
    { limits, temporaryFolder }: EnclosurePlan,
    isStrict: boolean,
  ): Cgroup | undefined => {
    const name = `opentalon-${process.pid}-${basename(temporaryFolder)}`;
    const extra = isStrict ? sandboxProcesses : 0;
    const processes = limits.processes === undefined ? undefined : limits.processes + extra;
    try {
      return createCgroup({ places, name, limits: { ...limits, processes }, clock });
    } catch (error) {
      sayOnce("A control group cannot be made", { problem: toMessage(error) });
      return undefined;
    }
  };

  return { enclose };
}

/** Asks the programs inside a sandbox to end; what makes the sandbox would just die of it, and take them along. */
function interruptInside(pid: number): void {
  const group = [...readProcesses().values()].filter(({ groupId }) => groupId === pid);
  const inside = group.filter((each) => each.pid !== pid && each.parentPid !== pid);
  for (const each of inside.length === 0 ? group : inside) kill(each.pid, "SIGINT");
}

function killTree(tree: ReturnType<typeof createProcessTree>): void {
  for (let round = 0; round < killRounds; round += 1) {
    const members = tree.update(readProcesses());
    if (members.length === 0) return;
    // Stopped first: what is killed one by one could start another meanwhile.
    for (const { pid } of members) kill(pid, "SIGSTOP");
    for (const { pid } of members) kill(pid, "SIGKILL");
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** The bounds of a single process, of which only the signal tells. */
function toBreach(end: ProcessEnd): Breach | undefined {
  if (end.kind !== "killed") return undefined;
  if (end.signal === "SIGXCPU") return "processor";
  return end.signal === "SIGXFSZ" ? "disk" : undefined;
}

function findQuietly(name: string, searchPath: string): string | undefined {
  try {
    return findProgram(name, searchPath);
  } catch {
    return undefined;
  }
}
