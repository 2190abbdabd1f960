import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import type { Log } from "../base/log.ts";
import type { Environment } from "./child-environment.ts";
import { defaultSearchPath } from "./child-environment.ts";
import { endMarkedFunction } from "./fence/end-marked.ts";

/**
 * Ends the children of this program when it dies without being able to do so itself (SIGKILL, out of memory).
 *
 * A small shell of its own holds the reading end of a pipe whose writing end only this program has. The system closes
 * the pipe when the program ends, however it ends; the shell then kills the process group of every child still on its
 * list, whoever is in its control groups, and whoever else has its temporary folder, and removes their folders. Unlike a death signal (`prctl(PR_SET_PDEATHSIG)`) this reaches grandchildren, removes
 * sockets, depends on no thread and works on every Unix.
 */
export interface OrphanGuard {
  /**
   * Puts a process group on the list, with its temporary folder and the folders of its control groups. None of them may
   * contain a line break.
   */
  readonly add: (groupId: number, folder: string, cgroups?: readonly string[]) => void;
  /** Takes it off. Call it as soon as the group has ended: its number may be given away again. */
  readonly remove: (groupId: number) => void;
  /** Ends the shell. Children still on the list are killed. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** The list is in the positional parameters, three for each item: its group, what it is, its folder. */
const script = `
${endMarkedFunction}
end_cgroup() {
  echo 0 >"$1/pids.max"
  echo 1 >"$1/cgroup.kill"
  for round in 1 2 3 4 5 6 7 8 9 10; do
    members=$(cat "$1/cgroup.procs")
    [ -n "$members" ] || break
    kill -9 $members
    sleep 0.05
  done
  rmdir "$1"
} 2>/dev/null
trap '' HUP INT TERM PIPE
while read -r verb group folder; do
  case $verb in
    folder | cgroup) set -- "$@" "$group" "$verb" "$folder" ;;
    remove)
      left=$#
      while [ "$left" -gt 0 ]; do
        [ "$1" = "$group" ] || set -- "$@" "$1" "$2" "$3"
        shift 3
        left=$((left - 3))
      done ;;
  esac
done
left=$#
while [ "$left" -gt 0 ]; do
  kill -9 "-$1" 2>/dev/null
  [ "$2" = cgroup ] && end_cgroup "$3"
  set -- "$@" "$1" "$2" "$3"
  shift 3
  left=$((left - 3))
done
while [ "$#" -gt 0 ]; do
  if [ "$2" = folder ]; then
    end_marked "$3"
    rm -rf -- "$3"
  fi
  shift 3
done
`;

const maxRestarts = 5;

export function createOrphanGuard({
  log,
  environment,
}: {
  readonly log: Log;
  readonly environment: Environment;
}): OrphanGuard {
  const items = new Map<number, readonly string[]>();
  let shell: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();
  let restarts = 0;
  let disposed = false;

  const tell = (line: string): void => void shell?.stdin?.write(`${line}\n`);

  const start = (): void => {
    // In a session of its own: the Ctrl-C of a terminal is not meant for it.
    const child = spawn("/bin/sh", ["-c", script], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
      cwd: "/",
      env: { PATH: environment["PATH"] ?? defaultSearchPath },
    });
    shell = child;
    child.unref();
    (child.stdin as typeof child.stdin & { unref?: () => void }).unref?.();
    child.stdin.on("error", () => {});
    ended = new Promise((resolve) => {
      const end = (): void => {
        resolve();
        if (shell === child) shell = undefined;
        child.stdin.destroy();
        restart();
      };
      child.once("exit", end);
      child.once("error", end);
    });
    for (const line of [...items.values()].flat()) tell(line);
  };

  const restart = (): void => {
    if (disposed || items.size === 0) return;
    restarts += 1;
    if (restarts <= maxRestarts) start();
    else
      log.warn(
        "The guard over plugin processes does not stay alive; plugins would outlive a killed OpenTalon",
      );
  };

  return {
    add: (groupId, folder, cgroups = []) => {
      const lines = [
        `folder ${groupId} ${folder}`,
        ...cgroups.map((path) => `cgroup ${groupId} ${path}`),
      ];
      items.set(groupId, lines);
      if (shell === undefined) start();
      else for (const line of lines) tell(line);
    },
    remove: (groupId) => {
      if (items.delete(groupId)) tell(`remove ${groupId}`);
    },
    [Symbol.asyncDispose]: async () => {
      disposed = true;
      shell?.ref();
      shell?.stdin?.end();
      await ended;
    },
  };
}
