import { SourceError } from "../../base/errors.ts";
import { readInside } from "../sources/source-files.ts";
import type { BuildPlace, BuiltProgram } from "./builder.ts";
import { isExecutable } from "./find-executable.ts";

/** The parts of a package.json that decide how a plugin or channel is built and started. */
export interface PackageFile {
  readonly name: string;
  readonly main: string;
  /** Programs by name. */
  readonly programs: ReadonlyMap<string, string>;
  readonly scripts: ReadonlySet<string>;
  readonly hasDependencies: boolean;
  readonly hasDevelopmentDependencies: boolean;
}

const maxFileBytes = 1_048_576;
const maxScriptBytes = 67_108_864;

/** @throws SourceError when there is one that cannot be understood. */
export async function readPackageFile(folder: string): Promise<PackageFile | undefined> {
  const text = await readInside(folder, "package.json", maxFileBytes);
  if (text === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    parsed = undefined;
  }
  if (!isRecord(parsed)) throw new SourceError("SOURCE_INVALID", "its package.json is no JSON");
  const read = (key: string): string => (typeof parsed[key] === "string" ? parsed[key] : "");
  const count = (key: string): number =>
    isRecord(parsed[key]) ? Object.keys(parsed[key]).length : 0;
  const name = read("name").replace(/^@[^/]*\//, "");
  const development = count("devDependencies");
  return {
    name,
    main: read("main"),
    programs: new Map(Object.entries(toPrograms(parsed["bin"], name))),
    scripts: new Set(isRecord(parsed["scripts"]) ? Object.keys(parsed["scripts"]) : []),
    hasDependencies:
      count("dependencies") + count("optionalDependencies") + development > 0 ||
      parsed["workspaces"] !== undefined,
    hasDevelopmentDependencies: development > 0,
  };
}

/**
 * How a built package is started: the program of a fitting name or the only one, else `main`, else the script `start`.
 * @throws SourceError when what it names is not there.
 */
export async function findNodeProgram(place: BuildPlace): Promise<BuiltProgram | undefined> {
  const file = await readPackageFile(place.folder);
  if (file === undefined) return undefined;
  const { programs, main, scripts } = file;
  const only = programs.size === 1 ? [...programs.values()] : [];
  const named = [place.binary, place.name, `${place.name}-${place.purpose}`, file.name].flatMap(
    (name) => programs.get(name) ?? [],
  );
  const script = [...named, ...only, ...(main === "" ? [] : [main])][0];
  if (script !== undefined) return toScriptProgram(place.folder, script);
  if (!scripts.has("start")) return undefined;
  // Silent, because the first line of output belongs to the program.
  return { command: ["npm", "--silent", "--prefix", ".", "start"], path: "./package.json" };
}

async function toScriptProgram(folder: string, written: string): Promise<BuiltProgram> {
  const path = `./${written.replace(/^(?:\.?\/)+/, "")}`;
  const text = path.split("/").includes("..")
    ? undefined
    : await readInside(folder, path, maxScriptBytes);
  if (text === undefined) {
    throw new SourceError(
      "SOURCE_BUILD_FAILED",
      `its package.json names ${written}, which is not there after the build`,
    );
  }
  const isForNode = /\.[cm]?[jt]s$/.test(path) || /^#!.*\bnode\b/.test(text.slice(0, 200));
  if (isForNode || !(await isExecutable(folder, path))) return { command: ["node", path], path };
  return { command: [path], path };
}

function toPrograms(bin: unknown, name: string): Record<string, string> {
  if (typeof bin === "string") return { [name]: bin };
  if (!isRecord(bin)) return {};
  return Object.fromEntries(
    Object.entries(bin).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
