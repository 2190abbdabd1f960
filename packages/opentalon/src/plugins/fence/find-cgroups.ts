import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { readProcess } from "./process-table.ts";

/** Folders below which groups can be made, for each thing they can do; one and the same in the newer version. */
export interface CgroupPlaces {
  /** Keeps processes together, which every other place does as well. */
  readonly any?: string | undefined;
  readonly memory?: string | undefined;
  readonly pids?: string | undefined;
  readonly cpu?: string | undefined;
  readonly cpuAccounting?: string | undefined;
}

export interface FindCgroupsOptions {
  /** Names the folders that are made for trying, and that of this program itself. */
  readonly ownName: string;
  /** What the system says of its mounts and of our own groups. */
  readonly mountInfo?: string;
  readonly ownGroups?: string;
}

/**
 * Where this program may make control groups: below its own, so that whatever bounds it bounds its plugins too. Tried
 * by making one. `undefined` when it may nowhere.
 */
export function findCgroups({
  ownName,
  mountInfo = readText("/proc/self/mountinfo"),
  ownGroups = readText("/proc/self/cgroup"),
}: FindCgroupsOptions): CgroupPlaces | undefined {
  const mounts = parseMounts(mountInfo);
  const groups = parseGroups(ownGroups);
  const placeOf = (controller: string): string | undefined => {
    const mount = mounts.find(({ controllers }) => controllers.includes(controller));
    const group = groups.get(controller);
    if (mount === undefined || group === undefined) return undefined;
    const inside = relative(mount.root, group);
    // Our own group lies outside of what is mounted here, as in some containers: then the mount is all there is.
    const place = inside.startsWith("..") ? mount.folder : join(mount.folder, inside);
    return existsSync(join(place, "cgroup.procs")) ? place : undefined;
  };

  const unified = placeOf(unifiedName);
  const newer = unified === undefined ? undefined : tryUnified(leaveCoreGroup(unified), ownName);
  const older = (controller: string, file: string): string | undefined => {
    const place = placeOf(controller);
    return place !== undefined && tryPlace(place, ownName, [file])[0] === true ? place : undefined;
  };
  const pids = newer?.pids ?? older("pids", "pids.max");
  const found: CgroupPlaces = {
    memory: newer?.memory ?? older("memory", "memory.limit_in_bytes"),
    pids,
    cpu: newer?.cpu ?? older("cpu", "cpu.shares"),
    cpuAccounting: newer?.any ?? older("cpuacct", "cpuacct.usage"),
    // The one that can end a whole group at once is needed only where no other keeps processes from multiplying.
    any: pids === undefined ? newer?.any : undefined,
  };
  return Object.values(found).some((place) => place !== undefined) ? found : undefined;
}

const unifiedName = "unified";

function tryUnified(place: string, ownName: string): CgroupPlaces | undefined {
  const files = ["cgroup.procs", "memory.max", "pids.max", "cpu.weight"];
  let there = tryPlace(place, ownName, files);
  if (there.length === 0) return undefined;
  if (there.includes(false) && handOnControllers(place, ownName))
    there = tryPlace(place, ownName, files);
  const [, memory, pids, cpu] = there.map((isThere) => (isThere ? place : undefined));
  return { any: place, memory, pids, cpu };
}

/** The group to build in, when this program has moved into one of its own already. */
function leaveCoreGroup(place: string): string {
  return /^opentalon-.*-core$/.test(basename(place)) ? dirname(place) : place;
}

/**
 * Lets groups below `place` bound memory and processes. That is only possible in a group without processes of its own, so
 * when they are all ours, they move into a group beside those of the plugins.
 */
function handOnControllers(place: string, ownName: string): boolean {
  const offered = readText(join(place, "cgroup.controllers")).split(" ");
  const wanted = ["memory", "pids", "cpu"].filter((name) => offered.includes(name));
  if (wanted.length === 0) return false;
  const handOn = (): boolean =>
    write(join(place, "cgroup.subtree_control"), wanted.map((name) => `+${name}`).join(" "));
  if (handOn()) return true;
  const members = readText(join(place, "cgroup.procs")).split("\n").map(Number);
  const isOurs = (pid: number): boolean =>
    pid === process.pid || (pid > 0 && readProcess(pid)?.parentPid === process.pid);
  if (!members.every(isOurs)) return false;
  const own = join(place, `${ownName}-core`);
  try {
    mkdirSync(own, { recursive: true });
  } catch {
    return false;
  }
  return members.every((pid) => write(join(own, "cgroup.procs"), String(pid))) && handOn();
}

/** Makes a group and says which files it has; nothing when it cannot be made. */
function tryPlace(place: string, ownName: string, files: readonly string[]): readonly boolean[] {
  const folder = join(place, `${ownName}-try`);
  try {
    mkdirSync(folder);
  } catch {
    return [];
  }
  const there = files.map((file) => existsSync(join(folder, file)));
  rmdirSync(folder);
  return there;
}

interface Mount {
  /** What of the hierarchy is mounted. */
  readonly root: string;
  readonly folder: string;
  readonly controllers: readonly string[];
}

function parseMounts(mountInfo: string): readonly Mount[] {
  return mountInfo.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", folder = ""] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    if (type === "cgroup2") return [{ root, folder, controllers: [unifiedName] }];
    return type === "cgroup" ? [{ root, folder, controllers: options.split(",") }] : [];
  });
}

function parseGroups(ownGroups: string): ReadonlyMap<string, string> {
  const groups = new Map<string, string>();
  for (const line of ownGroups.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    for (const name of controllers === "" ? [unifiedName] : controllers.split(","))
      groups.set(name, path);
  }
  return groups;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function write(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}
