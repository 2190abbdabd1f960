import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Adds to package-lock.json what npm left out: packages for other platforms that the registry in use did not offer.
 * Without them `npm ci` refuses the lock file. Run it after every `npm install`: `node tooling/complete-lock-file.ts`.
 */

interface LockedPackage {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface LockFile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** Packages some locked package may bring along and the lock file does not name, by path, ready to be added. */
export function findMissingPackages(lockFile: LockFile): Record<string, object> {
  const packages: Record<string, LockedPackage> = { ...lockFile.packages };
  const missing: Record<string, object> = {};
  for (const [parent, { optionalDependencies = {} }] of Object.entries(lockFile.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      // A range would need the registry to become a version; packages for a platform are pinned by their parent.
      if (!/^\d+\.\d+\.\d+/.test(version)) continue;
      const paths = listLookups(parent, name);
      const found = paths.find((path) => packages[path] !== undefined);
      if (found !== undefined && packages[found]?.version === version) continue;
      // As near to the root as nothing else stands in the way.
      const path = (found === undefined ? paths : paths.slice(0, paths.indexOf(found))).at(-1);
      if (path === undefined) continue;
      packages[path] = { version };
      missing[path] = { version, ...toPlatform(name), optional: true };
    }
  }
  return missing;
}

/** Where Node looks for `name` when the package at `parent` asks, nearest first. */
function listLookups(parent: string, name: string): string[] {
  const parts = parent.split("/node_modules/");
  const nested = parts.map((_, index) =>
    parts.slice(0, parts.length - index).join("/node_modules/"),
  );
  return [
    ...nested.filter((path) => path !== "").map((path) => `${path}/node_modules/${name}`),
    `node_modules/${name}`,
  ];
}

/** Where a package for one platform can be installed, read from its name, as npm writes it into the lock file. */
function toPlatform(name: string): { cpu?: string[]; os?: string[]; libc?: string[] } {
  const words = (name.split("/").at(-1) ?? name).split("-");
  const find = (known: readonly string[]): string[] =>
    known.filter((word) => words.includes(word)).slice(0, 1);
  const os = find([
    "aix",
    "android",
    "darwin",
    "freebsd",
    "linux",
    "netbsd",
    "openbsd",
    "openharmony",
    "sunos",
    "win32",
  ]);
  const cpu = find([
    "arm64",
    "x64",
    "ia32",
    "ppc64",
    "riscv64",
    "s390x",
    "loong64",
    "mips64el",
    "wasm32",
  ]);
  if (cpu.length === 0 && /-arm(?:v\d|-|$)/.test(name)) cpu.push("arm");
  const libc = words.some((word) => word.startsWith("musl"))
    ? ["musl"]
    : words.some((word) => word.startsWith("gnu")) && os[0] === "linux"
      ? ["glibc"]
      : [];
  return {
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(libc.length > 0 ? { libc } : {}),
    ...(os.length > 0 ? { os } : {}),
  };
}

if (import.meta.main) {
  const path = join(import.meta.dirname, "../package-lock.json");
  const lockFile = JSON.parse(readFileSync(path, "utf8")) as LockFile;
  const packages = Object.entries({ ...lockFile.packages, ...findMissingPackages(lockFile) });
  // npm's own order.
  packages.sort(([a], [b]) => a.localeCompare(b, "en"));
  writeFileSync(
    path,
    `${JSON.stringify({ ...lockFile, packages: Object.fromEntries(packages) }, null, 2)}\n`,
  );
}
