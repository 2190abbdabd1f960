import type { RunStep } from "./build-step.ts";

/** The folder of a plugin that is being built. */
export interface BuildPlace {
  /** With its sources; what is built stays here. */
  readonly folder: string;
  /** Removed after the build. */
  readonly scratch: string;
  /** Key below `plugins:`, fit for a file name. */
  readonly name: string;
  /** What its program is to be called. */
  readonly binary: string;
}

/** What a build made. Paths begin with `./` and are in the folder. */
export interface BuiltProgram {
  readonly command: readonly string[];
  /** The file the plugin is, for those who can start nothing else. */
  readonly path: string;
}

/** One way to build a plugin. */
export interface Builder {
  readonly kind: "make" | "go" | "node" | "python" | "cargo" | "ready";
  /** Whether the folder is meant to be built so. @throws SourceError when what it says about that cannot be read. */
  readonly matches: (place: BuildPlace) => Promise<boolean>;
  /** @throws SourceError */
  readonly build: (place: BuildPlace, run: RunStep) => Promise<BuiltProgram>;
}

/** Named as in the Go program, so that its Makefiles and plugins fit. */
export function toBinaryName(name: string): string {
  return name.includes("-") ? name : `${name}-plugin`;
}
