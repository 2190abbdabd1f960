import { readdirSync } from "node:fs";
import { findCgroups } from "../fence/find-cgroups.ts";
import { hasProcessTable } from "../fence/process-table.ts";

/** Why this machine cannot bound plugins in control groups; `undefined` when it can. */
export function findCgroupProblem(): string | undefined {
  const places = findPlaces();
  const canBound = places?.memory !== undefined && places.pids !== undefined;
  return canBound ? undefined : "no control group can be written here";
}

/** Why this machine cannot watch plugins; `undefined` when it can. */
export function findWatchProblem(): string | undefined {
  return hasProcessTable() ? undefined : "there is no /proc here";
}

/** Control groups that a process has made and left. */
export function listCgroupsOf(pid: number): readonly string[] {
  const { any, memory, pids, cpu, cpuAccounting } = findPlaces() ?? {};
  const names = [any, memory, pids, cpu, cpuAccounting].flatMap((place) =>
    place === undefined ? [] : readdirSync(place),
  );
  return names.filter((name) => name.startsWith(`opentalon-${pid}-`));
}

function findPlaces(): ReturnType<typeof findCgroups> {
  return findCgroups({ ownName: `opentalon-${process.pid}` });
}
