import type { ProcessLimits } from "../plugin-entry.ts";

export interface StartScriptOptions {
  readonly limits: ProcessLimits;
  /** Control groups to join, as folders. */
  readonly cgroups: readonly string[];
  /** Path of `nice`, where there is one. */
  readonly nice: string | undefined;
  /** The environment of the program, which a shell would add to. */
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

/** How much a plugin stands behind this program; 0 is beside it, 19 the most. */
const niceness = 5;

/**
 * A command that becomes another one, in the same process, after it has bounded itself: what it may use, and how much it
 * stands behind this program. Nothing the program does can lift that, unless it runs as root.
 */
export function toBoundedCommand({
  limits,
  cgroups,
  nice,
  environment,
  command,
}: StartScriptOptions): readonly string[] {
  // Where less is allowed already, that counts.
  const bound = (flags: string, amount: number | undefined): string[] =>
    amount === undefined ? [] : [`ulimit ${flags} ${amount} 2>/dev/null`];
  const { cpuSeconds, openFiles, diskMb } = limits;
  const script = [
    ...bound("-c", 0),
    ...bound("-n", openFiles),
    // In blocks of 512 bytes.
    ...bound("-f", diskMb === undefined ? undefined : diskMb * 2_048),
    // At the first one the program is told by a signal of its own, which says why it ended.
    ...bound("-S -t", cpuSeconds),
    ...bound("-H -t", cpuSeconds === undefined ? undefined : cpuSeconds + 1),
    // Sessions compete as wholes where the system groups them, whatever their processes are.
    `{ echo ${niceness} >/proc/$$/autogroup; } 2>/dev/null`,
    ...cgroups.map(() => 'echo $$ >"$1/cgroup.procs" || exit 125; shift'),
    // A shell passes on variables of its own.
    ...["PWD", "OLDPWD", "SHLVL"]
      .filter((name) => environment[name] === undefined)
      .map((name) => `unset ${name}`),
    'exec "$@"',
  ].join("\n");
  const lowered = nice === undefined ? [] : [nice, "-n", String(niceness)];
  return ["/bin/sh", "-c", script, "opentalon-plugin", ...cgroups, ...lowered, ...command];
}
