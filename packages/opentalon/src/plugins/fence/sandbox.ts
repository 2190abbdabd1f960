import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { isWithin } from "./readable-folders.ts";

export interface SandboxOptions {
  /** Path of bubblewrap, and what it has to be told to work here. */
  readonly bubblewrap: readonly string[];
  readonly command: readonly string[];
  readonly network: boolean;
  /** Files and folders that can be read, besides the system. */
  readonly readable: readonly string[];
  /** Folders that can be written. */
  readonly writable: readonly string[];
  readonly workingDirectory: string;
  /** Largest size of each of its private temporary folders, which live in memory. */
  readonly temporaryMb: number;
}

/** The system itself, as far as programs of all kinds need it. */
const systemFolders = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/nix/store",
  "/gnu/store",
];
const systemFiles = [
  "alternatives",
  "group",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "mime.types",
  "nsswitch.conf",
  "passwd",
  "timezone",
];
/** What the network needs besides: names, ports, and whom to believe. */
const networkFiles = [
  "ca-certificates",
  "gai.conf",
  "host.conf",
  "hosts",
  "pki",
  "protocols",
  "resolv.conf",
  "services",
  "ssl",
];

/** Namespaces of its own, whether or not it gets the network. */
export const namespaces = [
  "--unshare-pid",
  "--unshare-ipc",
  "--unshare-uts",
  "--die-with-parent",
  // Started by root, it would keep all of them.
  "--cap-drop",
  "ALL",
] as const;

/**
 * The same command inside bubblewrap. Nothing can be written but its own folders and temporary ones that end with it;
 * no file of a person or of this program can be seen; no process outside can be seen, signalled or traced.
 */
export function toSandboxedCommand(options: SandboxOptions): readonly string[] {
  const { bubblewrap, command, network, readable, writable, workingDirectory } = options;
  const isSystem = (path: string): boolean =>
    systemFolders.some((folder) => isWithin(path, folder));
  const etc = network ? [...systemFiles, ...networkFiles] : systemFiles;
  const size = String(options.temporaryMb * 2 ** 20);
  return [
    ...bubblewrap,
    ...namespaces,
    ...(network ? [] : ["--unshare-net"]),
    ...systemFolders.flatMap(toSystemArguments),
    ...etc.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    ...["/tmp", "/dev/shm"].flatMap((folder) => ["--size", size, "--tmpfs", folder]),
    // The outer ones first, since a later one lies on top of it.
    ...readable
      .filter((path) => !isSystem(path))
      .toSorted((a, b) => a.length - b.length)
      .flatMap((path) => ["--ro-bind", path, path]),
    ...writable.flatMap((path) => ["--bind", path, path]),
    // Settings of the kernel belong to root, which a program started by root still is, whatever rights it has lost.
    ...["/proc", "/dev", "/"].flatMap((folder) => ["--remount-ro", folder]),
    "--chdir",
    workingDirectory,
    "--",
    ...command,
  ];
}

function toSystemArguments(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  // On most systems these are links into /usr, and programs may look at them as such.
  if (lstatSync(folder).isSymbolicLink()) return ["--symlink", readlinkSync(folder), folder];
  return ["--ro-bind", folder, folder];
}
