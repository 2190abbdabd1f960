/**
 * Gets: routes of other parts. Gives: a Unix socket in the state folder that speaks HTTP, through which the command line
 * looks into the running program. Never: lets another user of the machine in.
 */
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  rmdir,
  unlink,
  writeFile,
} from "node:fs/promises";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { HttpRoute } from "../base/http-route.ts";
import type { Log } from "../base/log.ts";
import { createHttpApp } from "./http-app.ts";
import { closeServer, createHttpServer } from "./http-server.ts";

export interface ControlSocketOptions {
  /** The state folder; made when it is not there. */
  readonly directory: string;
  readonly routes: readonly HttpRoute[];
  readonly log: Log;
}

/** Disposal closes it, lets requests under way finish for a moment, and removes it. */
export interface ControlSocket {
  /** Where it is. */
  readonly path: string;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const socketName = "control.sock";
/** Holds the path of the socket when that cannot be in the state folder itself. */
const noteName = "control.path";
const foreignPrefix = "opentalon-control-";
/** The path of a socket has at most so many bytes on every system. */
const maxPathBytes = 103;
const closeTimeoutMs = 1_000;

const limits = { maxConnections: 64, headersTimeoutMs: 10_000, requestTimeoutMs: 12_000 };
const bodies = { maxBodyBytes: 1_048_576, maxBodyBytesTogether: 16_777_216 };

/**
 * Opens the socket, in place of one that a killed process left; resolves when it listens.
 * @throws as the file system does.
 */
export async function createControlSocket(options: ControlSocketOptions): Promise<ControlSocket> {
  const { directory, routes, log } = options;
  let isClosing = false;
  const app = createHttpApp({
    routes,
    // Whoever can open the socket is the user who runs the program, or root.
    isTrusted: () => true,
    hasToken: false,
    hidesAuthorization: false,
    ...bodies,
    isClosing: () => isClosing,
    log,
  });
  const server = createHttpServer(app, limits);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const note = join(directory, noteName);
  await removeForeign(note);
  const path = await listenSomewhere(server, directory);
  server.on("error", (error) =>
    log.error({ err: error }, "the control socket could not take a connection"),
  );
  if (dirname(path) !== directory) await writePrivately(note, `${path}\n`);
  const own = await lstat(path);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      isClosing = true;
      await closeServer(server, closeTimeoutMs);
      // Another process may have taken the place over.
      if (dirname(path) !== directory) {
        if ((await readNote(note)) === path) await removeForeign(note);
        return;
      }
      const now = await lstat(path).catch(() => undefined);
      if (now?.ino === own.ino) await unlink(path).catch(() => {});
    },
  };
}

async function listenSomewhere(server: Server, directory: string): Promise<string> {
  const path = join(directory, socketName);
  const draft = await mkdtemp(join(directory, ".control-"));
  try {
    const draftPath = join(draft, "s");
    if (Buffer.byteLength(draftPath) <= maxPathBytes) {
      await listen(server, draftPath);
      // In this order it never stands where others could open it, and takes the place of an old one at once.
      await chmod(draftPath, 0o600);
      await rename(draftPath, path);
      return path;
    }
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  await rm(path, { force: true });
  const base = Buffer.byteLength(tmpdir()) <= 70 ? tmpdir() : "/tmp";
  const foreign = join(await mkdtemp(join(base, foreignPrefix)), "s");
  await listen(server, foreign);
  await chmod(foreign, 0o600);
  return foreign;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Removes the note of an earlier process, and the socket it tells of when that is one of ours. */
async function removeForeign(note: string): Promise<void> {
  const path = await readNote(note);
  if (path === undefined) return;
  await unlink(note).catch(() => {});
  const folder = dirname(path);
  if (!basename(folder).startsWith(foreignPrefix) || basename(path) !== "s") return;
  await unlink(path).catch(() => {});
  await rmdir(folder).catch(() => {});
}

async function readNote(note: string): Promise<string | undefined> {
  const text = await readFile(note, "utf8").catch(() => "");
  return text.trim() === "" ? undefined : text.trim();
}

async function writePrivately(path: string, text: string): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, text, { mode: 0o600, flag: "wx" });
}

/** Where the socket of a program over this state folder may be, the likeliest first. */
export async function findControlSockets(directory: string): Promise<readonly string[]> {
  const noted = await readNote(join(directory, noteName));
  const paths = [join(directory, socketName), ...(noted === undefined ? [] : [noted])];
  return paths.filter((path) => Buffer.byteLength(path) <= maxPathBytes);
}
