import { createHash } from "node:crypto";
import { lstat, readFile, realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import type Dockerode from "dockerode";
import type { Clock } from "../../../base/clock.ts";
import { createDeadline, untilAborted } from "../../../base/deadline.ts";
import { toMessage } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import type { Environment } from "../../../plugins/child-environment.ts";

/** Docker or Podman on this machine, as far as channels need it. */
export interface ContainerEngine {
  /**
   * Its client; what containers of an earlier run of ours are left is removed first.
   * Rejects in words for the operator.
   */
  readonly open: (signal: AbortSignal) => Promise<OpenEngine>;
}

export interface OpenEngine {
  readonly client: Dockerode;
  /** Where it was found, in words for the operator. */
  readonly place: string;
  readonly isPodman: boolean;
  /** It runs without the rights of root: its root is the user it runs as. */
  readonly isRootless: boolean;
  /** Users inside of containers are others outside. */
  readonly remapsUsers: boolean;
  /** Marks our containers, followed by the name of a channel. */
  readonly label: string;
}

export interface ContainerEngineOptions {
  readonly environment: Environment;
  /** Tells our containers from those of others. */
  readonly dataDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** On containers: whose they are, as `<hash of the data directory>:<channel>`. */
export const instanceLabel = "opentalon.instance";
const answerTimeoutMs = 30_000;

export function createContainerEngine(options: ContainerEngineOptions): ContainerEngine {
  const { environment, dataDirectory, clock, log } = options;
  const label = createHash("sha256").update(resolve(dataDirectory)).digest("hex").slice(0, 16);
  let isTidy = false;
  return {
    open: async (signal) => {
      const target = await findEngine(environment);
      const { default: Docker } = await import("dockerode");
      const client = new Docker(target.options);
      const silence = new Error(`the container engine at ${target.place} does not answer`);
      using deadline = createDeadline({
        clock,
        timeoutMs: answerTimeoutMs,
        signal,
        toError: () => silence,
      });
      let version: Dockerode.DockerVersion;
      let info: { readonly SecurityOptions?: readonly string[] | null };
      try {
        version = await untilAborted(deadline.signal, client.version());
        info = (await untilAborted(deadline.signal, client.info())) as typeof info;
      } catch (error) {
        if (deadline.signal.aborted) throw error;
        throw new Error(explainEngineFailure(error, target.place), { cause: error });
      }
      if (!isTidy) {
        await removeLeftOvers(client, label, log);
        isTidy = true;
      }
      const security = info.SecurityOptions ?? [];
      return {
        client,
        place: target.place,
        // Old engines tell no components.
        isPodman: [...(version.Components ?? [])].some(({ Name }) => /podman/i.test(Name)),
        isRootless: security.some((each) => each.startsWith("name=rootless")),
        remapsUsers: security.some((each) => each.startsWith("name=userns")),
        label,
      };
    },
  };
}

interface EngineTarget {
  readonly place: string;
  readonly options: Dockerode.DockerOptions;
}

/** `DOCKER_HOST`, or the first of the usual sockets that is there. */
async function findEngine(environment: Environment): Promise<EngineTarget> {
  const host = environment["DOCKER_HOST"] ?? "";
  if (host !== "") return toTarget(host, environment);
  const runtime = environment["XDG_RUNTIME_DIR"] ?? "";
  const home = environment["HOME"] ?? "";
  const sockets = [
    "/var/run/docker.sock",
    ...(runtime === "" ? [] : [join(runtime, "docker.sock")]),
    ...(home === "" ? [] : [join(home, ".docker/run/docker.sock")]),
    ...(runtime === "" ? [] : [join(runtime, "podman/podman.sock")]),
    "/run/podman/podman.sock",
  ];
  for (const path of sockets) {
    if (await isSocket(path)) return { place: path, options: { socketPath: path } };
  }
  throw new Error(
    `it needs Docker or Podman, and there is no engine here: none of ${sockets.join(", ")} exists; start one, or set DOCKER_HOST`,
  );
}

async function toTarget(host: string, environment: Environment): Promise<EngineTarget> {
  const place = "DOCKER_HOST";
  if (host.startsWith("unix://"))
    return { place, options: { socketPath: host.slice("unix://".length) } };
  const url = /^(?:tcp|https?):\/\//.test(host) ? URL.parse(host.replace(/^tcp:/, "http:")) : null;
  if (url === null) {
    throw new Error(
      "DOCKER_HOST is not an address OpenTalon can use: write unix:///path or tcp://host:port",
    );
  }
  const port = url.port === "" ? 2_375 : Number(url.port);
  const folder = environment["DOCKER_CERT_PATH"] ?? "";
  const isEncrypted = host.startsWith("https:") || (environment["DOCKER_TLS_VERIFY"] ?? "") !== "";
  if (!isEncrypted) return { place, options: { host: url.hostname, port, protocol: "http" } };
  if (folder === "") return { place, options: { host: url.hostname, port, protocol: "https" } };
  const read = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
  const [ca, cert, key] = await Promise.all([read("ca.pem"), read("cert.pem"), read("key.pem")]);
  return { place, options: { host: url.hostname, port, protocol: "https", ca, cert, key } };
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await lstat(await realpath(path))).isSocket();
  } catch {
    return false;
  }
}

function explainEngineFailure(error: unknown, place: string): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "EACCES":
      return `the container engine at ${place} may not be used by this user; add them to its group (often "docker"), or use a rootless engine`;
    case "ECONNREFUSED":
    case "ENOENT":
    case "ENOTFOUND":
      return `the container engine at ${place} does not run; start it`;
    default:
      return `the container engine at ${place} does not answer: ${toMessage(error)}`;
  }
}

/** Containers outlive a program that was killed; its next run ends them, also of channels that are no more. */
async function removeLeftOvers(client: Dockerode, label: string, log: Log): Promise<void> {
  const found = await client.listContainers({ all: true, filters: { label: [instanceLabel] } });
  const ours = found.filter(({ Labels }) => Labels[instanceLabel]?.startsWith(`${label}:`));
  for (const { Id, Labels } of ours) {
    log.info(
      { container: Id.slice(0, 12), of: Labels[instanceLabel]?.slice(label.length + 1) },
      "a container that an earlier run left behind is removed",
    );
    await client
      .getContainer(Id)
      .remove({ force: true, v: true })
      .catch((error: unknown) =>
        log.warn({ problem: toMessage(error) }, "a container could not be removed"),
      );
  }
}
