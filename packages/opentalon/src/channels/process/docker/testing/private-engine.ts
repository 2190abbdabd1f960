import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import Docker from "dockerode";
import type { FakeChannelOptions } from "../../../testing/fake-channel-options.ts";

/** A Docker engine of the test's own, with nothing but the image of a fake channel. */
export interface PrivateEngine extends AsyncDisposable {
  /** For `DOCKER_HOST`. */
  readonly host: string;
  readonly client: Docker;
  /** Name of an image whose program is the fake channel. */
  readonly makeImage: (options: FakeChannelOptions) => Promise<string>;
}

const run = promisify(execFile);
const source = join(import.meta.dirname, "../../../..");

/** Why no engine can be started here; `undefined` when it can be tried. */
export function findEngineProblem(): string | undefined {
  if (process.platform !== "linux") return "Docker engines run on Linux";
  if (process.getuid?.() !== 0) return "only root can start a Docker engine";
  if (spawnSync("dockerd", ["--version"]).status !== 0) return "dockerd is not installed";
  if (spawnSync("ldd", ["--version"]).status !== 0) return "ldd is missing";
  return undefined;
}

/** Rejects, with what it wrote last, when no engine can run here. */
export async function startPrivateEngine(): Promise<PrivateEngine> {
  const folder = await mkdtemp(join(tmpdir(), "ot-engine-"));
  const socketPath = join(folder, "docker.sock");
  const child = spawn(
    "dockerd",
    [
      "--bridge=none",
      "--iptables=false",
      "--ip6tables=false",
      `--data-root=${join(folder, "data")}`,
      `--exec-root=${join(folder, "exec")}`,
      `--pidfile=${join(folder, "pid")}`,
      `--host=unix://${socketPath}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4_000);
  });
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  const client = new Docker({ socketPath });
  for (let attempt = 0; ; attempt += 1) {
    const answers = await client.ping().then(
      () => true,
      () => false,
    );
    if (answers) break;
    if (attempt > 300 || child.exitCode !== null) {
      await stop();
      throw new Error(`dockerd does not run: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  let images = 0;
  const archive = join(folder, "image.tar");
  let archived: Promise<void> | undefined;
  return {
    host: `unix://${socketPath}`,
    client,
    makeImage: async (options) => {
      await (archived ??= writeArchive(join(folder, "root"), archive));
      images += 1;
      const name = `fake-channel:${images}`;
      const program = ["/node", "/src/channels/testing/fake-channel.ts", JSON.stringify(options)];
      const changes = [`ENTRYPOINT ${JSON.stringify(program)}`];
      const stream = await client.importImage(archive, {
        repo: "fake-channel",
        tag: String(images),
        changes,
      });
      stream.resume();
      await once(stream, "end");
      return name;
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** A file system with our Node, the libraries it is linked with, and the fake channel. */
async function writeArchive(root: string, archive: string): Promise<void> {
  const { stdout } = await run("ldd", [process.execPath]);
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
  const files = ["channels/testing/fake-channel.ts", "plugins/testing/protobuf-lite.ts"];
  const copies = [
    [process.execPath, "node"],
    ...libraries.map((path) => [path, path]),
    ...files.map((path) => [join(source, path), join("src", path)]),
  ];
  for (const [from = "", to = ""] of copies) {
    const target = join(root, to);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(from, target);
  }
  for (const empty of ["tmp", "run", "proc", "dev", "sys"]) await mkdir(join(root, empty));
  await run("tar", ["-cf", archive, "-C", root, "."]);
  await rm(root, { recursive: true });
  await readFile(archive).then(({ length }) => {
    if (length === 0) throw new Error("the image is empty");
  });
}
