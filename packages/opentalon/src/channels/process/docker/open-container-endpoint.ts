import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import type Dockerode from "dockerode";
import type { Clock } from "../../../base/clock.ts";
import { createDeadline } from "../../../base/deadline.ts";
import { formatDuration } from "../../../base/duration.ts";
import { toMessage } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import { redactSecrets } from "../../../base/secret.ts";
import { toAbortError, untilAborted } from "../../../plugins/deadline.ts";
import { logLines } from "../../../plugins/log-lines.ts";
import { connectSocket, type PluginAddress } from "../../../plugins/plugin-address.ts";
import type { TemporaryFolders } from "../../../plugins/temporary-folder.ts";
import type { ChannelEndpoint } from "../channel-endpoint.ts";
import type { ProgramSettings } from "../channel-programs.ts";
import { socketName, untilSocket } from "../launch-channel.ts";
import type { ContainerEngine, OpenEngine } from "./container-engine.ts";
import { toContainerSettings } from "./container-settings.ts";
import { pullImage, toImageName } from "./pull-image.ts";

export interface ContainerEndpointOptions {
  /** Name of the channel. */
  readonly name: string;
  readonly image: string;
  /** `grpc_port` is read from it, see `findPort`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly settings: ProgramSettings;
  readonly readyTimeoutMs?: number | undefined;
  readonly signal: AbortSignal;
}

export interface ContainerDependencies {
  readonly engine: ContainerEngine;
  readonly folders: TemporaryFolders;
  readonly clock: Clock;
  readonly log: Log;
}

/** Says on an image that its channel serves gRPC on this port instead of making a socket. */
const portLabel = "opentalon.grpc_port";
const stopGraceSeconds = 5;
/** How long an engine may take to end a container; what it does not do the next start does. */
const removeMs = 15_000;
const remotePingMs = 330_000;

/**
 * Runs an image as a channel and waits until it listens. The container gets nothing but the folder for its socket.
 * Rejects in words for the operator; nothing of it is left then.
 */
export async function openContainerEndpoint(
  options: ContainerEndpointOptions,
  dependencies: ContainerDependencies,
): Promise<ChannelEndpoint> {
  const { name, config, settings, signal, readyTimeoutMs = 30_000 } = options;
  const { clock, log } = dependencies;
  const engine = await dependencies.engine.open(signal);
  const { client } = engine;
  const image = toImageName(options.image);
  const labels = await findImage({ client, image, clock, log, signal });
  const port = findPort(config["grpc_port"] ?? labels[portLabel]);
  const folder = await dependencies.folders.create();
  let container: Dockerode.Container | undefined;
  const remove = async (): Promise<void> => {
    if (container !== undefined) {
      const patience = new AbortController();
      await Promise.race([removeContainer(container, log), clock.sleep(removeMs, patience.signal)]);
      patience.abort();
    }
    await folder.remove();
  };
  try {
    const socketFolder = join(folder.path, "run");
    await mkdir(socketFolder);
    // Whoever the program runs as inside may make its socket; from outside only we can get here.
    await chmod(socketFolder, 0o777);
    const [userId, groupId] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
    const plan = { name, image, engine, settings, socketFolder, port, userId, groupId };
    const running = runContainer(client, toContainerSettings(plan), {
      name,
      clock,
      log,
      onCreated: (created) => (container = created),
    });
    const started = await untilAborted(name, signal, running);
    const { gone, lastWords } = started;
    using deadline = createDeadline({
      clock,
      timeoutMs: readyTimeoutMs,
      signal: AbortSignal.any([signal, gone]),
      toError: () =>
        new Error(toReadyProblem(name, image, port, readyTimeoutMs, engine, lastWords())),
    });
    const path = join(socketFolder, socketName);
    const address = await waitFor(name, deadline.signal, async (limit) =>
      port === undefined
        ? untilSocket(path, clock, limit)
        : untilSpoken(await findAddress(started.container, port), clock, limit),
    );
    log.info(
      { image, container: started.container.id.slice(0, 12) },
      "the container of the channel runs",
    );
    const access =
      port === undefined ? undefined : { tls: undefined, token: "", keepAliveMs: remotePingMs };
    let stopping: Promise<void> | undefined;
    return { address, access, gone, stop: () => (stopping ??= remove()) };
  } catch (error) {
    await remove();
    throw error;
  }
}

interface FindImageOptions {
  readonly client: Dockerode;
  readonly image: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The labels of an image, which is pulled when it is not here. */
async function findImage(options: FindImageOptions): Promise<Readonly<Record<string, string>>> {
  const { client, image } = options;
  const inspect = async (): Promise<Readonly<Record<string, string>>> =>
    (await client.getImage(image).inspect()).Config.Labels ?? {};
  try {
    return await inspect();
  } catch (error) {
    if (!hasStatus(error, 404)) throw new Error(toEngineWords(error), { cause: error });
  }
  await pullImage(options);
  return inspect();
}

/** @throws Error when it is set and no port. */
function findPort(value: unknown): number | undefined {
  if (value === undefined || value === "") return undefined;
  const port = Number(value);
  if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  throw new Error("`config.grpc_port`, or the label of its image, is not the number of a port");
}

interface RunDependencies {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly onCreated: (container: Dockerode.Container) => void;
}

interface RunningContainer {
  readonly container: Dockerode.Container;
  readonly gone: AbortSignal;
  readonly lastWords: () => string;
}

async function runContainer(
  client: Dockerode,
  settings: Dockerode.ContainerCreateOptions,
  { name, clock, log, onCreated }: RunDependencies,
): Promise<RunningContainer> {
  try {
    const container = await client.createContainer(settings);
    onCreated(container);
    await container.start();
    const lastWords = await followLogs(client, container, { clock, log });
    const gone = new AbortController();
    const end = async (how: string): Promise<void> => {
      // What it wrote last arrives a moment later.
      await clock.sleep(lastWordsMs);
      const words = lastWords();
      const said = words === "" ? "" : `; its last words: ${redactSecrets(words.slice(0, 200))}`;
      gone.abort(new Error(`the container of the channel "${name}" ended ${how}${said}`));
    };
    void (container.wait() as Promise<{ readonly StatusCode: number }>).then(
      async ({ StatusCode }) => end(await explainExit(container, StatusCode)),
      (error: unknown) => end(`, or the engine did: ${toMessage(error)}`),
    );
    return { container, gone: gone.signal, lastWords };
  } catch (error) {
    throw new Error(`its container cannot be started: ${toEngineWords(error)}`, { cause: error });
  }
}

const lastWordsMs = 200;

async function explainExit(container: Dockerode.Container, code: number): Promise<string> {
  const state = await container.inspect().then(
    ({ State }) => State,
    () => undefined,
  );
  return state?.OOMKilled === true
    ? "because it used more memory than limits.memory_mb"
    : `with exit code ${code}`;
}

/** What it writes goes to the log; both streams come over one connection. */
async function followLogs(
  client: Dockerode,
  container: Dockerode.Container,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<() => string> {
  const output = new PassThrough();
  const errors = new PassThrough();
  logLines({ stream: output, log, clock });
  const { lastWords } = logLines({ stream: errors, log, clock });
  const stream = await container.logs({ follow: true, stdout: true, stderr: true });
  client.modem.demuxStream(stream, output, errors);
  const end = (): void => {
    output.end();
    errors.end();
  };
  stream.once("end", end);
  stream.once("close", end);
  stream.on("error", end);
  return lastWords;
}

async function waitFor(
  name: string,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<PluginAddress>,
): Promise<PluginAddress> {
  try {
    return await untilAborted(name, signal, task(signal));
  } catch (error) {
    const reason: unknown = signal.aborted ? signal.reason : error;
    throw reason instanceof Error ? reason : toAbortError(name, signal);
  }
}

function toReadyProblem(
  name: string,
  image: string,
  port: number | undefined,
  timeoutMs: number,
  { place }: OpenEngine,
  lastWords: string,
): string {
  const what = port === undefined ? `made no ${socketName}` : `does not serve gRPC on port ${port}`;
  const words = lastWords === "" ? "" : `; its last words: ${lastWords.slice(0, 200)}`;
  const advice =
    port === undefined
      ? `; when the engine (${place}) runs on another machine or in a virtual one, sockets cannot be shared: let the channel listen on a port and set config.grpc_port`
      : "";
  return `the image ${image} of the channel "${name}" ${what} within ${formatDuration(timeoutMs)}${words}${advice}`;
}

async function findAddress(container: Dockerode.Container, port: number): Promise<PluginAddress> {
  const { NetworkSettings } = await container.inspect();
  const hostPort = NetworkSettings.Ports[`${port}/tcp`]?.[0]?.HostPort;
  if (hostPort === undefined) throw new Error(`the engine gave port ${port} no address`);
  return { network: "tcp", address: `127.0.0.1:${hostPort}` };
}

/** Who stands in front of a container takes connections before the program does; a gRPC server speaks first. */
async function untilSpoken(
  address: PluginAddress,
  clock: Clock,
  signal: AbortSignal,
): Promise<PluginAddress> {
  for (;;) {
    const socket = await connectSocket(address).catch(() => undefined);
    const hasSpoken = await new Promise<boolean>((resolve) => {
      if (socket === undefined) return resolve(false);
      const giveUp = (): void => resolve(false);
      signal.addEventListener("abort", giveUp, { once: true });
      socket.once("data", () => resolve(true));
      socket.once("close", giveUp);
    });
    socket?.destroy();
    if (hasSpoken) return address;
    await clock.sleep(portPollMs, signal);
    if (signal.aborted) return new Promise<never>(() => {});
  }
}

const portPollMs = 100;

/** Never rejects: what cannot be removed is removed by the next start. */
async function removeContainer(container: Dockerode.Container, log: Log): Promise<void> {
  await container.stop({ t: stopGraceSeconds }).catch(() => undefined);
  await container.remove({ force: true, v: true }).catch((error: unknown) => {
    if (!hasStatus(error, 404))
      log.warn({ problem: toMessage(error) }, "a container could not be removed");
  });
}

function hasStatus(error: unknown, statusCode: number): boolean {
  return (error as { readonly statusCode?: unknown }).statusCode === statusCode;
}

function toEngineWords(error: unknown): string {
  return redactSecrets(toMessage(error).slice(0, 500)).replaceAll("\n", " ").trim();
}
