import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { root } from "./scratch.ts";

export const pluginLanguages = ["typescript", "python", "go", "rust"] as const;
export type PluginLanguage = (typeof pluginLanguages)[number];

/** What is kept between runs, so that only the first one downloads and compiles libraries. */
const cache = join(root, ".languages");

/** Environment of `make` in a plugin's project: this one, and where libraries are kept. */
export function toMakeEnvironment(): NodeJS.ProcessEnv {
  mkdirSync(cache, { recursive: true });
  return {
    ...process.env,
    VENV: join(cache, "venv"),
    CARGO_TARGET_DIR: join(cache, "cargo"),
    CARGO_BUILD_PROFILE: "dev",
    // Cached packages need not be asked for.
    npm_config_prefer_offline: "true",
  };
}

/**
 * Has the next build of a project take its own sources. Those in Rust share what was compiled, and cargo tells them apart by
 * nothing but the time of their files.
 */
export function renewSources(project: string): void {
  const now = new Date();
  for (const file of ["build.rs", "src/main.rs", "tests/main.rs"]) {
    const path = join(project, file);
    if (existsSync(path)) utimesSync(path, now, now);
  }
}

export interface Outcome {
  /** Exit code, or the signal's name. */
  readonly code: number | string;
  /** Standard output and standard error. */
  readonly output: string;
}

/** Longest time a build may take; only one that hangs gets there. */
const limitMs = 15 * 60_000;

/** Runs a command line in a folder. */
export async function runShell(script: string, folder: string): Promise<Outcome> {
  const child = spawn("sh", ["-c", script], {
    cwd: folder,
    env: toMakeEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  return { code: code ?? signal ?? "", output };
}

const tools: Readonly<Record<PluginLanguage, { readonly check: string; readonly fetch: string }>> =
  {
    typescript: { check: "npm --version", fetch: "make build" },
    python: {
      check: `python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))'`,
      fetch: "make build",
    },
    go: { check: "go version", fetch: "go mod download" },
    rust: {
      check: "cargo --version | awk '{ split($2, v, \".\"); exit !(v[1] > 1 || v[2] >= 88) }'",
      fetch: "cargo fetch --locked",
    },
  };

/** Why plugins of a language cannot be built on this machine, if so. */
export function findMissingTool(language: PluginLanguage): string | undefined {
  const tried = ["make --version", tools[language].check].find(
    (check) => spawnSync("sh", ["-c", check], { timeout: 60_000 }).status !== 0,
  );
  return tried === undefined ? undefined : `\`${tried}\` fails`;
}

/** Why the libraries of a project cannot be had, when the reason lies in the network. */
export async function findMissingLibraries(
  language: PluginLanguage,
  folder: string,
): Promise<string | undefined> {
  const { code, output } = await runShell(tools[language].fetch, folder);
  if (code === 0) return undefined;
  const found = unreachable.exec(output)?.[0];
  return found === undefined ? undefined : `its libraries cannot be fetched (${found})`;
}

/** What the clients of the registries say when they get nowhere. Everything else is a failure of ours. */
const unreachable =
  /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|Temporary failure in name resolution|Could not resolve host|Couldn't connect to server|Failed to establish a new connection|network is unreachable|no such host|connection refused|i\/o timeout|spurious network error/i;
