import { spawn } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

type Arguments = Readonly<Record<string, string>>;

/**
 * What a plugin may try against the machine, its neighbours and OpenTalon, by the name of an action. Each is bounded, so that
 * a fence that fails costs little: a few hundred MiB, a few hundred processes, two minutes.
 */
export const attacks: Readonly<Record<string, (given: Arguments) => Promise<string>>> = {
  "attack-memory": async ({ mb = "512" }) => {
    const held: Buffer[] = [];
    for (let taken = 0; taken < Number(mb); taken += 4) {
      held.push(Buffer.alloc(4 * mebibyte, 1));
      await sleep(2);
    }
    return `took ${held.length * 4} MiB`;
  },
  /** The memory is that of processes it starts, each harmless alone. */
  "attack-memory-of-many": async ({ processes = "8", mb = "32" }) => {
    const program = `const held = Buffer.alloc(${Number(mb) * mebibyte}, 1); setTimeout(() => held, ${lifeMs})`;
    for (let count = 0; count < Number(processes); count += 1)
      start([process.execPath, "-e", program]);
    await sleep(lifeMs);
    return "nothing happened";
  },
  "attack-processes": async ({ processes = "300" }) => {
    start(["/bin/sh", "-c", `for i in $(seq ${processes}); do sleep 120 & done; wait`]);
    await sleep(lifeMs);
    return "nothing happened";
  },
  /** Each process starts the next two in a session of its own, and ends. */
  "attack-fork-bomb": async ({ processes = "300" }) => {
    const bomb =
      'n=$1; [ "$n" -le 1 ] && exec sleep 120; h=$((n / 2)); setsid sh -c "$2" sh $h "$2" & setsid sh -c "$2" sh $h "$2" &';
    start(["/bin/sh", "-c", bomb, "sh", processes, bomb]);
    await sleep(lifeMs);
    return "nothing happened";
  },
  "attack-descriptors": async () => {
    let opened = 0;
    try {
      for (; opened < 5_000; opened += 1) openSync("/dev/null", "r");
    } catch {
      await sleep(lifeMs);
    }
    return `opened ${opened} files`;
  },
  "attack-disk": ({ folder = tmpdir(), mb = "256" }) => fill(Number(mb), join(folder, "filler")),
  /** Many empty files cost no blocks, but the file system's entries. */
  "attack-entries": async ({ files = "30000" }) => {
    mkdirSync("entries");
    for (let count = 0; count < Number(files); count += 1) {
      writeFileSync(join("entries", String(count)), "");
      if (count % 500 === 0) await sleep(1);
    }
    await sleep(lifeMs);
    return `made ${files} files`;
  },
  /** What was removed and is still open stands in no folder. */
  "attack-removed-files": async ({ mb = "256" }) => {
    for (let count = 0; count * 8 < Number(mb); count += 1) {
      const file = openSync("removed", "w");
      unlinkSync("removed");
      writeSync(file, Buffer.alloc(8 * mebibyte, 1));
      await sleep(2);
    }
    await sleep(lifeMs);
    return `wrote ${mb} MiB`;
  },
  "attack-large-file": async ({ path = "large", mb = "256" }) => {
    const file = openSync(path, "w");
    try {
      for (let written = 0; written < Number(mb); written += 1)
        writeSync(file, Buffer.alloc(mebibyte, 1));
      return `wrote ${mb} MiB`;
    } catch (error) {
      return toCode(error);
    } finally {
      closeSync(file);
    }
  },
  /** `text`: for how many seconds. */
  "attack-processor": async ({ processes = "4", text = "120" }) => {
    for (let count = 0; count < Number(processes); count += 1)
      start(["timeout", text, "/bin/sh", "-c", "while :; do :; done"]);
    await sleep(Number(text) * 1_000);
    return "nothing happened";
  },
  /** A process that belongs to nobody: two forks and a session away. Answers with its number. */
  "attack-daemon": ({ seconds = "120" }) => daemonise(["setsid"], seconds),
  /** The same, without the environment it was given. */
  "attack-daemon-without-environment": ({ seconds = "120" }) =>
    daemonise(["env", "-i", "PATH=/usr/bin:/bin", "setsid"], seconds),
  read: async ({ path = "" }) => {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      return toCode(error);
    }
  },
  list: async ({ path = "" }) => {
    try {
      return readdirSync(path).join(" ");
    } catch (error) {
      return toCode(error);
    }
  },
  write: async ({ path = "" }) => {
    try {
      writeFileSync(path, "written by a plugin");
      return "written";
    } catch (error) {
      return toCode(error);
    }
  },
  /** Opens for writing, and writes nothing: what is tried so may belong to the machine. */
  open: async ({ path = "" }) => {
    try {
      closeSync(openSync(path, "r+"));
      return "opened";
    } catch (error) {
      return toCode(error);
    }
  },
  kill: async ({ pid = "" }) => {
    try {
      process.kill(Number(pid), "SIGKILL");
      return "killed";
    } catch (error) {
      return toCode(error);
    }
  },
  connect: ({ port = "", host = "127.0.0.1", path = "" }) =>
    new Promise((resolve) => {
      const socket = path === "" ? connect(Number(port), host) : connect(path);
      socket.once("connect", () => (socket.destroy(), resolve("connected")));
      socket.once("error", (error) => resolve(toCode(error)));
    }),
};

const mebibyte = 2 ** 20;
const lifeMs = 120_000;

function start([program = "", ...rest]: readonly string[]): void {
  spawn(program, rest, { stdio: "ignore" }).on("error", () => {});
}

async function daemonise(before: readonly string[], seconds: string): Promise<string> {
  const [program = "", ...rest] = before;
  const script = `sleep ${seconds} & echo $!`;
  const child = spawn(program, [...rest, "/bin/sh", "-c", script], {
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  child.unref();
  for await (const chunk of child.stdout) return String(chunk).trim();
  return "nothing was started";
}

/** Small files, so that no single one is too large. */
async function fill(mb: number, folder: string): Promise<string> {
  mkdirSync(folder);
  for (let count = 0; count < mb; count += 1) {
    writeFileSync(join(folder, String(count)), Buffer.alloc(mebibyte, 1));
    await sleep(2);
  }
  await sleep(lifeMs);
  return `wrote ${mb} MiB`;
}

function toCode(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code ?? error);
}
