import type { RunStep } from "./build-step.ts";

/** What a program is built to be. */
export type BuildPurpose = "plugin" | "channel";

/** The folder of a plugin or channel that is being built. */
export interface BuildPlace {
  readonly purpose: BuildPurpose;
  /** With its sources; what is built stays here. */
  readonly folder: string;
  /** Removed after the build. */
  readonly scratch: string;
  /** Key of its entry, fit for a file name. */
  readonly name: string;
  /** What its program is to be called. */
  readonly binary: string;
}

/** What a build made. Paths begin with `./` and are in the folder. */
export interface BuiltProgram {
  readonly command: readonly string[];
  /** The file the plugin or channel is, for those who can start nothing else. */
  readonly path: string;
}

/** One way to build a plugin or channel. */
export interface Builder {
  readonly kind: "make" | "go" | "node" | "python" | "cargo" | "ready" | "definition";
  /** Whether the folder is meant to be built so. @throws SourceError when what it says about that cannot be read. */
  readonly matches: (place: BuildPlace) => Promise<boolean>;
  /** @throws SourceError */
  readonly build: (place: BuildPlace, run: RunStep) => Promise<BuiltProgram>;
}

/** The definition of a channel that is no program, in its folder; named as in the Go program. */
export const definitionPath = "./channel.yaml";

/** The definition a build is, in place of a program. */
export function findDefinition(command: readonly string[]): string | undefined {
  const [path = ""] = command;
  return command.length === 1 && path.endsWith(definitionPath.slice(1)) ? path : undefined;
}

/** Named as in the Go program, so that its Makefiles, plugins and channels fit. */
export function toBinaryName(name: string, purpose: BuildPurpose): string {
  return name.includes("-") ? name : `${name}-${purpose}`;
}
