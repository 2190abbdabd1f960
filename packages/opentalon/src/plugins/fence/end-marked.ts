import { execFile, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Text of a shell function, `end_marked <folder>`: kills every process whose environment names this folder as its
 * TMPDIR. Only one plugin has it, and what a plugin starts inherits it, wherever it hides in the tree of processes.
 * A program that starts others with an empty environment is not found so; a control group or a sandbox has it.
 */
export const endMarkedFunction = `
end_marked() {
  for round in 1 2 3 4 5; do
    found=
    for file in $(grep -lsF -- "TMPDIR=$1" /proc/[0-9]*/environ); do
      pid=\${file#/proc/}
      kill -9 "\${pid%/environ}" && found=yes
    done
    [ -n "$found" ] || return 0
  done
} 2>/dev/null
`;

const patienceMs = 3_000;

/**
 * Runs that function. In a process of its own, since a program can see to it that whoever reads its environment waits for
 * ever. Never rejects.
 */
export async function endMarked(folder: string, searchPath: string): Promise<void> {
  const script = `${endMarkedFunction}\nend_marked "$1"`;
  const child = spawn("/bin/sh", ["-c", script, "sh", folder], {
    stdio: "ignore",
    env: { PATH: searchPath },
    cwd: "/",
    timeout: patienceMs,
    killSignal: "SIGKILL",
  });
  await once(child, "exit").catch(() => {});
}

/**
 * Which of these processes have one of these folders as their TMPDIR: the folder, by number of the process. In a process
 * of its own, too. Never rejects.
 */
export function findMarked(
  pids: readonly number[],
  folders: readonly string[],
  searchPath: string,
): Promise<ReadonlyMap<number, string>> {
  const patterns = folders.flatMap((folder) => ["-e", `TMPDIR=${folder}`]);
  const files = pids.map((pid) => `/proc/${pid}/environ`);
  const options = { timeout: patienceMs, env: { PATH: searchPath }, cwd: "/" };
  return new Promise((resolve) => {
    execFile("grep", ["-saoHF", ...patterns, "--", ...files], options, (_error, output) => {
      // What it found is told also when some of the processes have ended meanwhile, which it takes for a failure.
      const lines = output.matchAll(/^\/proc\/(\d+)\/environ:TMPDIR=(.+)$/gm);
      resolve(new Map([...lines].map(([, pid, folder = ""]) => [Number(pid), folder])));
    });
  });
}
