/**
 * Bundles the command line and the first-party plugins and channels: what every start needs in one piece, the rest (model SDKs,
 * database drivers, …) in chunks loaded on first use. `node build.ts --report` prints sizes and start times.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { rolldown } from "rolldown";
import type { OutputChunk } from "rolldown";
import { importHttpPlainly } from "./tooling/import-http-plainly.ts";
import { bundleReferencedFiles } from "./tooling/bundle-referenced-files.ts";

const root = import.meta.dirname;

interface Target {
  readonly name: string;
  readonly entry: string;
  /** Replaced as a whole once the new bundle is complete. */
  readonly folder: string;
}

async function findTargets(): Promise<Target[]> {
  const product: Target = {
    name: "opentalon",
    entry: join(root, "packages/opentalon/src/cli/main.ts"),
    folder: join(root, "packages/opentalon/dist/bundle"),
  };
  const programs = await Promise.all(
    ["plugins", "channels"].map(async (place) =>
      (await readdir(join(root, place))).map((program) => ({
        name: "main",
        entry: join(root, place, program, "src/main.ts"),
        folder: join(root, place, program, "dist"),
      })),
    ),
  );
  return [product, ...programs.flat().filter(({ entry }) => existsSync(entry))];
}

async function bundle({ name, entry, folder }: Target): Promise<OutputChunk[]> {
  await using build = await rolldown({
    input: { [name]: entry },
    platform: "node",
    cwd: root,
    resolve: {
      conditionNames: ["@opentalon/source", "node"],
      // The client of container engines would bring it, for engines over SSH, which channels do not use.
      alias: { ssh2: false },
    },
    // Loaded by its driver when it happens to be installed.
    external: ["pg-native", "bufferutil", "utf-8-validate", "zlib-sync"],
    // Packages of the older kind speak of themselves so.
    transform: { define: { __dirname: "import.meta.dirname", __filename: "import.meta.filename" } },
    plugins: [
      bundleReferencedFiles({
        within: ["packages", "plugins", "channels"].map((place) => join(root, place)),
      }),
      importHttpPlainly(),
    ],
  });
  await mkdir(dirname(folder), { recursive: true });
  const fresh = await mkdtemp(join(dirname(folder), ".bundle-"));
  try {
    const { output } = await build.write({
      dir: fresh,
      format: "esm",
      sourcemap: true,
      entryFileNames: "[name].js",
      chunkFileNames: "chunks/[name]-[hash].js",
      assetFileNames: "assets/[name]-[hash][extname]",
    });
    // A temporary folder is its owner's alone; what is installed is for everyone on the machine.
    await chmod(fresh, 0o755);
    await rm(folder, { recursive: true, force: true });
    await rename(fresh, folder);
    return output.filter((part) => part.type === "chunk");
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** What one start loads before it does anything, and what waits for its first use; both in bytes. */
function measureSize(chunks: readonly OutputChunk[]): { eager: number; lazy: number } {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const loaded = new Set<string>();
  const load = (name: string): void => {
    const chunk = byName.get(name);
    if (chunk === undefined || loaded.has(name)) return;
    loaded.add(name);
    for (const imported of chunk.imports) load(imported);
  };
  const main = chunks.find((chunk) => chunk.isEntry && !chunk.fileName.startsWith("chunks/"));
  if (main !== undefined) load(main.fileName);
  let eager = 0;
  let lazy = 0;
  for (const { fileName, code } of chunks) {
    if (loaded.has(fileName)) eager += Buffer.byteLength(code);
    else lazy += Buffer.byteLength(code);
  }
  return { eager, lazy };
}

/** Median wall time of `node file --version`, in milliseconds. */
function measureStart(file: string, environment: NodeJS.ProcessEnv): number {
  const timesMs = Array.from({ length: 11 }, () => {
    const startMs = performance.now();
    spawnSync(process.execPath, [file, "--version"], {
      env: environment,
      stdio: "ignore",
      timeout: 30_000,
    });
    return performance.now() - startMs;
  });
  return timesMs.toSorted((a, b) => a - b)[5] ?? 0;
}

const isReportWanted = process.argv.includes("--report");
const sizes: Record<string, Record<string, string>> = {};
for (const target of await findTargets()) {
  const chunks = await bundle(target);
  const { eager, lazy } = measureSize(chunks);
  sizes[relative(root, target.folder)] = {
    chunks: String(chunks.length),
    "loaded at start (kB)": (eager / 1_000).toFixed(0),
    "loaded on use (kB)": (lazy / 1_000).toFixed(0),
  };
}
// Compiled code of earlier bundles is of no use any more.
await rm(join(root, "packages/opentalon/dist/compile-cache"), { recursive: true, force: true });

if (isReportWanted) {
  console.table(sizes);
  const cache = await mkdtemp(join(tmpdir(), "opentalon-build-"));
  const { NODE_COMPILE_CACHE: _, ...environment } = process.env;
  const main = join(root, "packages/opentalon/dist/bundle/opentalon.js");
  const plainMs = measureStart(main, environment);
  const cachedMs = measureStart(main, { ...environment, NODE_COMPILE_CACHE: cache });
  await rm(cache, { recursive: true, force: true });
  console.log(`--version: ${plainMs.toFixed(0)} ms, with compile cache ${cachedMs.toFixed(0)} ms`);
}
