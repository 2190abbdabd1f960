import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { createDeadline } from "../../base/deadline.ts";
import { formatDuration } from "../../base/duration.ts";
import { SourceError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Environment } from "../child-environment.ts";
import { createOrphanGuard } from "../orphan-guard.ts";
import { toBuildEnvironment } from "./build-environment.ts";
import { createStepRunner } from "./build-step.ts";
import { type Builder, type BuildPlace, type BuiltProgram, definitionPath } from "./builder.ts";
import { cargoBuilder } from "./cargo-builder.ts";
import { findExecutable, isInside } from "./find-executable.ts";
import { goBuilder } from "./go-builder.ts";
import { makeBuilder } from "./make-builder.ts";
import { nodeBuilder } from "./node-builder.ts";
import { pythonBuilder } from "./python-builder.ts";

export interface BuildOptions {
  readonly place: BuildPlace;
  /** Home of the builder where the host has none. */
  readonly spareHome: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** The environment of this program, of which a builder gets a few names. */
  readonly host: Environment;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Told what is done and what is written meanwhile. */
  readonly onLine: (line: string) => void;
  /** Told before anything is run. */
  readonly onBuilding: () => void;
}

/** A program that needs no building. */
const readyBuilder: Builder = {
  kind: "ready",
  matches: async (place) => (await findExecutable(place)) !== undefined,
  build: async (place) => {
    const path = (await findExecutable(place)) ?? "";
    return { command: [path], path };
  },
};

/**
 * As in the Go program, in a repository without Go code it is the channel. Nothing is run; whether it is any good is told
 * when the channel is made.
 */
const definitionBuilder: Builder = {
  kind: "definition",
  matches: async (place) =>
    place.purpose === "channel" &&
    (await isInside(place.folder, definitionPath)) &&
    !(await goBuilder.matches(place)),
  build: async () => ({ command: [definitionPath], path: definitionPath }),
};

/** The first that fits is taken. */
const builders: readonly Builder[] = [
  definitionBuilder,
  makeBuilder,
  goBuilder,
  nodeBuilder,
  pythonBuilder,
  cargoBuilder,
  readyBuilder,
];

/**
 * Gets: a folder with the sources of a plugin or channel.
 * Gives: the command that starts what was built there; of a channel that is only described, `definitionPath` alone.
 * Never: a build that outlives the signal, its time, or this process.
 * @throws SourceError; rejects with the signal's reason when that aborts.
 */
export async function buildSources(options: BuildOptions): Promise<BuiltProgram> {
  const { place, clock, host, timeoutMs, spareHome, onLine, onBuilding } = options;
  const builder = await findBuilder(place);
  if (builder === undefined) {
    throw new SourceError(
      "SOURCE_INVALID",
      `there is nothing in it that OpenTalon knows how to build: ${place.purpose === "channel" ? "no channel.yaml, " : ""}no Makefile with a target \`build\`, no go.mod, package.json, pyproject.toml or Cargo.toml`,
    );
  }
  if (builder.kind === "definition") return builder.build(place, () => Promise.resolve());
  onBuilding();
  await mkdir(join(place.scratch, "tmp"), { recursive: true, mode: 0o700 });
  await mkdir(spareHome, { recursive: true, mode: 0o700 });
  await using guard = createOrphanGuard({ log: options.log, environment: host });
  using deadline = createDeadline({
    clock,
    timeoutMs,
    signal: options.signal,
    toError: () =>
      new SourceError(
        "SOURCE_TIMED_OUT",
        `the build did not end within ${formatDuration(timeoutMs)}; plugins.tools.build_timeout sets how long it may take`,
      ),
  });
  const run = createStepRunner({
    folder: place.folder,
    environment: toBuildEnvironment({ host, scratch: place.scratch, spareHome }),
    clock,
    signal: deadline.signal,
    onLine,
    onGroup: { begin: (group) => guard.add(group, place.scratch), end: guard.remove },
  });
  const built = await builder.build(place, run);
  for (const part of [...built.command, built.path]) {
    if (part.startsWith("./") && !(await isInside(place.folder, part)))
      throw new SourceError("SOURCE_BUILD_FAILED", `the build made no ${part}`);
  }
  return built;
}

async function findBuilder(place: BuildPlace): Promise<Builder | undefined> {
  for (const builder of builders) if (await builder.matches(place)) return builder;
  return undefined;
}
