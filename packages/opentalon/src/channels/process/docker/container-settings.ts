import type Dockerode from "dockerode";
import { isSecret } from "../../../base/secret.ts";
import type { ProgramSettings } from "../channel-programs.ts";
import { socketFolderVariable } from "../launch-channel.ts";
import { instanceLabel, type OpenEngine } from "./container-engine.ts";

export interface ContainerPlan {
  readonly name: string;
  readonly image: string;
  readonly engine: OpenEngine;
  readonly settings: ProgramSettings;
  /** Folder of ours that the channel makes its socket in. */
  readonly socketFolder: string;
  /** Port inside the container where it serves gRPC instead; absent for the socket. */
  readonly port: number | undefined;
  readonly userId: number;
  readonly groupId: number;
}

/** Where the folder of the socket is inside a container. */
export const innerSocketFolder = "/run/opentalon";

const bytesPerMb = 1_048_576;

/** What the engine is told: as little as a channel needs, within the bounds of its entry. */
export function toContainerSettings(plan: ContainerPlan): Dockerode.ContainerCreateOptions {
  const { name, image, engine, settings, socketFolder, port } = plan;
  const { limits = {}, env = {}, network = true } = settings;
  const { memoryMb, processes, openFiles, cpuSeconds, diskMb } = limits;
  const variables = {
    ...Object.fromEntries(
      Object.entries(env).map(([key, value]) => [key, isSecret(value) ? value.reveal() : value]),
    ),
    ...(port === undefined ? { [socketFolderVariable]: innerSocketFolder } : {}),
  };
  const ulimits = [
    ...(openFiles === undefined ? [] : [{ Name: "nofile", Soft: openFiles, Hard: openFiles }]),
    ...(cpuSeconds === undefined ? [] : [{ Name: "cpu", Soft: cpuSeconds, Hard: cpuSeconds + 1 }]),
    { Name: "core", Soft: 0, Hard: 0 },
  ];
  const exposed = port === undefined ? undefined : `${port}/tcp`;
  const memory = memoryMb === undefined ? undefined : memoryMb * bytesPerMb;
  return {
    Image: image,
    Env: Object.entries(variables).map(([key, value]) => `${key}=${value}`),
    Labels: { [instanceLabel]: `${engine.label}:${name}` },
    // As for programs that are started.
    StopSignal: "SIGINT",
    ...toUser(plan),
    ...(exposed === undefined ? {} : { ExposedPorts: { [exposed]: {} } }),
    HostConfig: {
      // Z: where files carry labels, this folder gets that of the container.
      Binds: port === undefined ? [`${socketFolder}:${innerSocketFolder}:rw,Z`] : [],
      ...(exposed === undefined
        ? {}
        : { PortBindings: { [exposed]: [{ HostIp: "127.0.0.1", HostPort: "" }] } }),
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Tmpfs: { "/tmp": `rw,nosuid,nodev,size=${Math.min(diskMb ?? 64, 256)}m` },
      Memory: memory,
      MemorySwap: memory,
      PidsLimit: processes,
      // Beside this program it stands behind.
      CpuShares: 512,
      Ulimits: ulimits,
      NetworkMode: network ? "default" : "none",
      // Read as it is written; the engine keeps little.
      LogConfig: { Type: "json-file", Config: { "max-size": "1m", "max-file": "1" } },
      ...toUserNamespace(plan),
    },
  };
}

/**
 * The user inside must be able to make the socket, and we to open it. Root opens everything, so images keep their own user
 * then. Otherwise the program runs as us: by our number, or as the root of an engine without rights, who is us.
 */
function toUser({ engine, userId, groupId }: ContainerPlan): { readonly User?: string } {
  if (userId === 0) return {};
  if (engine.isRootless && !engine.isPodman) return { User: "0:0" };
  return { User: `${userId}:${groupId}` };
}

function toUserNamespace({ engine, userId }: ContainerPlan): { readonly UsernsMode?: string } {
  if (userId === 0) return {};
  if (engine.isPodman) return engine.isRootless ? { UsernsMode: "keep-id" } : {};
  return engine.remapsUsers ? { UsernsMode: "host" } : {};
}
