import { createHook } from "node:async_hooks";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";

/**
 * Fails a test file that leaves something behind: a child process, a worker, or a socket, server, watcher or timer that
 * would keep the process alive. What is merely slow to close gets a grace period. Each test file has a process of its
 * own, so whatever is found was its doing.
 */

const graceMs = Number(process.env["OPENTALON_LEAK_GRACE_MS"] ?? "5000");
const checkEveryMs = 25;

/** What is watched, as Node calls it, and what people call it. */
const kinds: Readonly<Record<string, string>> = {
  FSEVENTWRAP: "file watcher",
  PIPESERVERWRAP: "socket server",
  PIPEWRAP: "pipe or socket",
  PROCESSWRAP: "child process",
  STATWATCHER: "file watcher",
  TCPSERVERWRAP: "TCP server",
  TCPWRAP: "TCP connection",
  TTYWRAP: "terminal",
  Timeout: "timer",
  UDPWRAP: "UDP socket",
  WORKER: "worker thread",
};

interface Handle {
  /** Whether it keeps the process alive; `undefined` once it is closed. */
  readonly hasRef?: () => boolean | undefined;
  readonly _destroyed?: boolean;
}

interface Watched {
  readonly kind: string;
  readonly handle: WeakRef<Handle>;
  /** Where it was made. */
  readonly origin: Error;
}

const watched = new Map<number, Watched>();

const hook = createHook({
  init: (id, type, _trigger, handle: Handle) => {
    const kind = kinds[type];
    if (kind === undefined) return;
    watched.set(id, { kind, handle: new WeakRef(handle), origin: new Error("made here") });
  },
  destroy: (id) => {
    watched.delete(id);
  },
  trackPromises: false,
});
hook.enable();

// Registered before the hooks of the test file, so it runs after all of them.
afterAll(async () => {
  const deadlineMs = performance.now() + graceMs;
  // What the last test began without waiting for it may only come up now.
  await sleep(checkEveryMs);
  let leaks = findLeaks();
  while (leaks.length > 0 && performance.now() < deadlineMs) {
    await sleep(checkEveryMs);
    leaks = findLeaks();
  }
  hook.disable();
  if (leaks.length > 0) throw new Error(`this test file leaves behind:\n  ${leaks.join("\n  ")}`);
}, graceMs + 10_000);

function findLeaks(): string[] {
  const leaks = listChildren().map((command) => `child process: ${command}`);
  for (const { kind, handle, origin } of watched.values()) {
    const place = isOpen(kind, handle.deref()) ? toPlace(origin) : undefined;
    if (place !== undefined) leaks.push(`${kind}, made ${place}`);
  }
  return leaks;
}

function isOpen(kind: string, handle: Handle | undefined): boolean {
  const isReferenced = handle?._destroyed === true ? undefined : handle?.hasRef?.();
  // A thread burns on even when nobody waits for it.
  return kind === "worker thread" ? isReferenced !== undefined : isReferenced === true;
}

/** The line that made it; `undefined` when the test runner did, for itself, or Node. */
function toPlace(origin: Error): string | undefined {
  // Whoever imports `node:process` by name looks at standard input, which is there anyway.
  if (/\bprocess\.getStdin\b/.test(origin.stack ?? "")) return undefined;
  const frames = (origin.stack ?? "").split("\n").slice(1);
  const outside = frames.filter((frame) => !/\(node:|at node:|leak-check\.ts/.test(frame));
  if (/\/node_modules\/(?:@?vitest|vite|tinypool)\//.test(outside[0] ?? "")) return undefined;
  const own = outside.find((frame) => !frame.includes("/node_modules/"));
  return (own ?? outside[0])?.trim() ?? "by an event of Node";
}

/** Command lines of the children of this process, detached and `unref`ed ones too; empty where /proc does not tell. */
function listChildren(): string[] {
  const pids = listFolder("/proc/self/task").flatMap((thread) =>
    readText(`/proc/self/task/${thread}/children`).split(" "),
  );
  return (
    pids
      .filter((pid) => pid !== "")
      .map((pid) => readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim())
      // A process without a command line has ended; Node is about to notice.
      .filter((command) => command !== "")
  );
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
