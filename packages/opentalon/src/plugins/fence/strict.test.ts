import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { isRunning, launchFake } from "../testing/launch-fake.ts";
import type { AttackedHost } from "../testing/start-attacked-host.ts";
import { startAttackedHost } from "../testing/start-attacked-host.ts";
import { createFence } from "./create-fence.ts";
import { findProgram } from "./find-program.ts";
import { probeBubblewrap } from "./probe-bubblewrap.ts";
import { readProcesses } from "./process-table.ts";

const patient = { timeout: 60_000 };
const searchPath = process.env["PATH"] ?? "";
const probed = await probeBubblewrap(searchPath);
const note = probed.kind === "works" ? "" : `, skipped: ${probed.problem}`;

describe.skipIf(probed.kind !== "works")(`in a strict sandbox${note}`, () => {
  let attacked: AttackedHost;
  let data: string;
  let neighbourPid: number;
  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), "opentalon-data-"));
    mkdirSync(join(data, "neighbour"));
    attacked = await startAttackedHost({
      attacker: { sandbox: "strict", databaseFile: join(data, "attacker", "attacker.db") },
    });
    const { content } = await attacked.call("neighbour", "process");
    neighbourPid = (JSON.parse(content) as { pid: number }).pid;
  }, 60_000);
  afterAll(async () => {
    await attacked[Symbol.asyncDispose]();
    rmSync(data, { recursive: true });
  });
  const ask = async (action: string, given: Record<string, string>): Promise<string> =>
    (await attacked.call("attacker", action, given)).content;

  test("a plugin works in a folder of its own, which keeps what it writes", async () => {
    const path = join(attacked.folder, "plugins", "attacker", "note");
    expect(await ask("write", { path: "note" })).toBe("written");
    expect(await ask("read", { path })).toBe("written by a plugin");
    expect(readFileSync(path, "utf8")).toBe("written by a plugin");
  });

  test("it has its own database, and sees nobody else's", async () => {
    const { OPENTALON_DATABASE: file = "" } = JSON.parse(await ask("environment", {})) as Record<
      string,
      string
    >;
    expect(file).toBe(join(data, "attacker", "attacker.db"));
    expect(await ask("write", { path: file })).toBe("written");
    expect(readFileSync(file, "utf8")).toBe("written by a plugin");
    expect(await ask("list", { path: data })).toBe("attacker");
  });

  test("it sees nothing of its neighbours, of the state folder, or of any home", async () => {
    expect((await attacked.call("neighbour", "write", { path: "secret" })).content).toBe("written");
    writeFileSync(join(attacked.folder, "state.db"), "conversations");
    for (const path of ["plugins/neighbour/secret", "plugins/neighbour", "state.db"])
      expect(await ask("read", { path: join(attacked.folder, path) })).toBe("ENOENT");
    expect(await ask("list", { path: join(attacked.folder, "plugins") })).toBe("attacker");
    const home = mkdtempSync(join(homedir(), ".opentalon-test-"));
    writeFileSync(join(home, "key"), "a key");
    expect(await ask("read", { path: join(home, "key") })).toBe("ENOENT");
    rmSync(home, { recursive: true });
    const { HOME } = JSON.parse(await ask("environment", {})) as Record<string, string>;
    expect(HOME).toBe(join(attacked.folder, "plugins", "attacker"));
  });

  test("it sees no temporary files of others, and nobody sees its own", async () => {
    const folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
    expect(await ask("list", { path: folder })).toBe("ENOENT");
    rmSync(folder, { recursive: true });
    expect(await ask("write", { path: "/tmp/from-a-sandbox" })).toBe("written");
    expect(
      (await attacked.call("neighbour", "read", { path: "/tmp/from-a-sandbox" })).content,
    ).toBe("ENOENT");
  });

  test("it writes nowhere else", async () => {
    for (const path of ["/usr/bin/evil", "/evil", "/dev/evil", "/etc/evil"])
      expect(await ask("write", { path }), path).toMatch(/^(?:EROFS|EACCES|EPERM|ENOENT)$/);
  });

  test("it changes no setting of the kernel, also when it was started by root", async () => {
    const settings = [
      "sys/kernel/core_pattern",
      "sys/vm/drop_caches",
      "sysrq-trigger",
      "self/oom_score_adj",
    ];
    for (const path of settings)
      expect(await ask("open", { path: `/proc/${path}` }), path).toMatch(
        /^(?:EROFS|EACCES|EPERM|ENOENT)$/,
      );
  });

  test("it can neither end nor look into OpenTalon or a neighbour, whose processes it does not see", async () => {
    for (const pid of [process.pid, neighbourPid]) {
      expect(await ask("kill", { pid: String(pid) })).toBe("ESRCH");
      expect(await ask("read", { path: `/proc/${pid}/environ` })).toBe("ENOENT");
      expect(await ask("read", { path: `/proc/${pid}/mem` })).toBe("ENOENT");
    }
    expect(await isRunning(neighbourPid)).toBe(true);
    expect(
      (await ask("list", { path: "/proc" })).split(" ").filter((name) => /^\d+$/.test(name)).length,
    ).toBeLessThan(5);
  });

  test("it has no rights of root, and gets none", async () => {
    const status = await ask("read", { path: "/proc/self/status" });
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^CapBnd:\t0+$/m);
  });

  test("a process that has left its group and its environment ends with it", patient, async () => {
    const seconds = `119.${process.pid}`;
    await ask("attack-daemon-without-environment", { seconds });
    expect(findSleepers(seconds)).toHaveLength(1);
    await attacked.failure("crash");
    await expect.poll(() => findSleepers(seconds), patient).toEqual([]);
    await expect.poll(() => attacked.host.statuses()[0]?.state, patient).toBe("ready");
  });

  test("its limits hold", patient, async () => {
    const attacker = { sandbox: "strict", limits: { memoryMb: 128 } } as const;
    await using limited = await startAttackedHost({ attacker });
    expect(await limited.failure("attack-memory")).toContain(
      "used more than 128 MiB of memory (limits.memory_mb)",
    );
    expect((await limited.call("neighbour", "echo")).error).toBe("");
  });

  describe("the network", () => {
    let server: Server;
    let port: string;
    beforeAll(async () => {
      server = createServer((_request, response) => response.end("hello")).listen(0, "127.0.0.1");
      await once(server, "listening");
      port = String((server.address() as AddressInfo).port);
    });
    afterAll(() => void server.close());

    test("is not there", async () => {
      expect(await ask("connect", { port })).toMatch(/^(?:ECONNREFUSED|ENETUNREACH)$/);
      expect(await ask("connect", { port: "53", host: "192.0.2.1" })).toBe("ENETUNREACH");
      expect(await ask("read", { path: "/etc/resolv.conf" })).toBe("ENOENT");
    });

    test("is there when the configuration says so, with what names and certificates need", async () => {
      const attacker = { sandbox: "strict", sandboxNetwork: true } as const;
      await using open = await startAttackedHost({ attacker });
      expect((await open.call("attacker", "connect", { port })).content).toBe("connected");
      const seen = (await open.call("attacker", "list", { path: "/etc" })).content.split(" ");
      for (const name of ["resolv.conf", "ssl"].filter((each) => existsSync(join("/etc", each))))
        expect(seen).toContain(name);
    });

    test("is needed by a plugin that listens on TCP, which is said", async () => {
      const options = { network: "tcp" } as const;
      await expect(launchFake(options, { sandbox: "strict" })).rejects.toThrow(
        "listens on TCP, where nobody reaches it in a strict sandbox without a network; let it listen on a Unix socket, or set network: true",
      );
      const reached = await launchFake(options, { sandbox: "strict", sandboxNetwork: true });
      expect(reached.handshake.network).toBe("tcp");
      await reached.stop();
    });
  });

  describe("signals, codes and words get through", () => {
    test.each([
      ["that cleans up when it is asked to end", { tidy: true }, "ended with exit code 0"],
      ["that does not care", {}, "was ended by SIGINT"],
    ] as const)("of a plugin %s", async (_name, options, end) => {
      const fake = await launchFake(options, { sandbox: "strict" });
      await fake.stop();
      expect(fake.gone.reason).toMatchObject({ message: `the plugin "fake" ${end}` });
    });

    test("of a plugin that breaks down at its start", async () => {
      await expect(launchFake({ start: "crash" }, { sandbox: "strict" })).rejects.toThrow(
        "ended with exit code 3 before it said where it listens; its last words: cannot find my configuration",
      );
    });
  });

  describe("programs of all kinds find what they need", () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
    });
    afterAll(() => rmSync(folder, { recursive: true }));
    const write = (name: string, text: string): string => {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      chmodSync(path, 0o755);
      return path;
    };
    const pythonPlugin = [
      "import os, socket, words",
      "path = os.path.join(os.environ['TMPDIR'], 's')",
      "server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen()",
      "print('1|unix|' + words.say(path), flush=True)",
      "server.accept(); server.accept()",
    ].join("\n");
    const python = findPython();

    test.skipIf(python === undefined)(
      `a script of Python, wherever Python is${python === undefined ? ", skipped: there is no python3" : ""}`,
      async () => {
        write("python/words.py", "def say(text): return text");
        const path = write("python/plugin.py", `#!/usr/bin/env python3\n${pythonPlugin}`);
        for (const command of [path, ["python3", path]]) {
          const fake = await launchFake({}, { command, sandbox: "strict" });
          await fake.stop();
        }
      },
    );

    test("a script of the shell that runs another program of its package", async () => {
      write("shell/package.json", "{}");
      write("shell/lib/main.mjs", "console.error('found'); process.exitCode = 4;");
      const command = write(
        "shell/bin/run",
        '#!/bin/sh\nexec node "$(dirname "$0")/../lib/main.mjs"\n',
      );
      await expect(launchFake({}, { command, sandbox: "strict" })).rejects.toThrow(
        "last words: found",
      );
    });

    test("one whose sources lie elsewhere", async () => {
      write("sources/greeting", "hello\n");
      const command = write("built/run", `#!/bin/sh\ncat ${folder}/sources/greeting >&2; exit 4\n`);
      const programFolder = join(folder, "sources");
      await expect(launchFake({}, { command, sandbox: "strict" })).rejects.not.toThrow("hello");
      await expect(launchFake({}, { command, sandbox: "strict", programFolder })).rejects.toThrow(
        "last words: hello",
      );
    });
  });
});

describe("where a sandbox cannot be made, a plugin that needs one does not start, and it is said what to do", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const launch = (): Promise<unknown> => {
    const fence = createFence({ searchPath: folder, clock: systemClock, log: createSilentLog() });
    return launchFake({}, { sandbox: "strict" }, { fence });
  };

  test("because bubblewrap is missing", async () => {
    await expect(launch()).rejects.toThrow("install bubblewrap (apt-get install bubblewrap)");
  });

  test("because bubblewrap is not permitted to do anything", async () => {
    const path = join(folder, "bwrap");
    writeFileSync(
      path,
      "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n",
    );
    chmodSync(path, 0o755);
    await expect(launch()).rejects.toThrow(
      "is installed but does not work here: bwrap: No permissions to create new namespace",
    );
  });
});

/** Processes that sleep for exactly so long. */
function findSleepers(seconds: string): readonly number[] {
  const commandOf = (pid: number): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    } catch {
      return "";
    }
  };
  return [...readProcesses().keys()].filter((pid) => commandOf(pid) === `sleep\0${seconds}\0`);
}

function findPython(): string | undefined {
  try {
    return findProgram("python3", searchPath);
  } catch {
    return undefined;
  }
}
