import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import type { Log } from "../base/log.ts";
import type { Environment } from "./child-environment.ts";

/**
 * Ends the children of this program when it dies without being able to do so itself (SIGKILL, out of memory).
 *
 * A small shell of its own holds the reading end of a pipe whose writing end only this program has. The system closes
 * the pipe when the program ends, however it ends; the shell then kills the process group of every child still on its
 * list and removes their folders. Unlike a death signal (`prctl(PR_SET_PDEATHSIG)`) this reaches grandchildren, removes
 * sockets, depends on no thread and works on every Unix.
 */
export interface OrphanGuard {
  /** Puts a process group on the list. `folder` must not contain a line break. */
  readonly add: (groupId: number, folder: string) => void;
  /** Takes it off. Call it as soon as the group has ended: its number may be given away again. */
  readonly remove: (groupId: number) => void;
  /** Ends the shell. Children still on the list are killed. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const script = `
trap '' HUP INT TERM PIPE
while read -r verb group folder; do
  case $verb in
    add) set -- "$@" "$group" "$folder" ;;
    remove)
      left=$#
      while [ "$left" -gt 0 ]; do
        [ "$1" = "$group" ] || set -- "$@" "$1" "$2"
        shift 2
        left=$((left - 2))
      done ;;
  esac
done
while [ "$#" -gt 0 ]; do
  kill -9 "-$1" 2>/dev/null
  rm -rf -- "$2"
  shift 2
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
  const groups = new Map<number, string>();
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
      env: { PATH: environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin" },
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
    for (const [groupId, folder] of groups) tell(`add ${groupId} ${folder}`);
  };

  const restart = (): void => {
    if (disposed || groups.size === 0) return;
    restarts += 1;
    if (restarts <= maxRestarts) start();
    else
      log.warn(
        "The guard over plugin processes does not stay alive; plugins would outlive a killed OpenTalon",
      );
  };

  return {
    add: (groupId, folder) => {
      groups.set(groupId, folder);
      if (shell === undefined) start();
      else tell(`add ${groupId} ${folder}`);
    },
    remove: (groupId) => {
      if (groups.delete(groupId)) tell(`remove ${groupId}`);
    },
    [Symbol.asyncDispose]: async () => {
      disposed = true;
      shell?.ref();
      shell?.stdin?.end();
      await ended;
    },
  };
}
