import { execFile } from "node:child_process";
import { toMessage } from "../../base/errors.ts";
import { findProgram } from "./find-program.ts";
import { namespaces } from "./sandbox.ts";

/** Whether programs can be put into namespaces here. */
export type BubblewrapProbe =
  /** Path of the program, and what it has to be told in every case. */
  | { readonly kind: "works"; readonly command: readonly string[] }
  /** In words for the operator: what is missing, and what to do. */
  | { readonly kind: "missing"; readonly problem: string };

/** From the tightest to what older versions and systems without user namespaces can do. */
const variants: readonly (readonly string[])[] = [
  ["--unshare-user", "--disable-userns", "--unshare-cgroup-try"],
  ["--unshare-user", "--unshare-cgroup-try"],
  ["--unshare-cgroup-try"],
];

const patienceMs = 5_000;

/** Tries bubblewrap, which may be installed and still not be permitted to do anything. Never rejects. */
export async function probeBubblewrap(searchPath: string): Promise<BubblewrapProbe> {
  if (process.platform !== "linux")
    return { kind: "missing", problem: "sandbox: strict works on Linux only; set sandbox: off" };
  let path: string;
  try {
    path = findProgram("bwrap", searchPath);
  } catch {
    const problem =
      "sandbox: strict needs bubblewrap, which is not installed: install bubblewrap (apt-get install bubblewrap)";
    return { kind: "missing", problem };
  }
  let why = "";
  for (const variant of variants) {
    const command = [path, ...variant];
    const outcome = await tryOut([...command, ...namespaces, "--unshare-net"]);
    if (outcome === "") return { kind: "works", command };
    why = outcome;
  }
  const problem = `sandbox: strict needs bubblewrap, which is installed but does not work here: ${why}. In a container it needs the permission to make namespaces; elsewhere user namespaces may be switched off`;
  return { kind: "missing", problem };
}

/** Empty when it worked, else what it said. */
function tryOut([program = "", ...rest]: readonly string[]): Promise<string> {
  const view = [
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--",
    "/bin/sh",
    "-c",
    ":",
  ];
  const options = { timeout: patienceMs, env: {}, cwd: "/" };
  return new Promise((resolve) => {
    execFile(program, [...rest, ...view], options, (error, _stdout, stderr) => {
      const [line = ""] = stderr.trim().split("\n");
      resolve(error === null ? "" : line.slice(0, 200) || toMessage(error).slice(0, 200));
    });
  });
}
