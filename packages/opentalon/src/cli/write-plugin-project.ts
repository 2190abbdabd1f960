import { cp, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { ConfigError, toMessage } from "../base/errors.ts";

export const pluginLanguages = ["typescript", "python", "go", "rust"] as const;
export type PluginLanguage = (typeof pluginLanguages)[number];

export const pluginKinds = ["tool", "channel", "hook", "provider"] as const;
export type PluginKind = (typeof pluginKinds)[number];

export interface PluginProject {
  readonly name: string;
  readonly language: PluginLanguage;
  readonly kind: PluginKind;
  /** Absolute path; must not exist, or be empty. */
  readonly folder: string;
  /** Where `packages/plugin-sdk/templates` and `proto` are. */
  readonly checkout: string;
}

/**
 * Writes a project in which an author can begin at once.
 * @returns the file the author works in, from the folder.
 * @throws ConfigError when the name or the folder cannot be used, or the checkout is not built; nothing is written then.
 */
export async function writePluginProject(project: PluginProject): Promise<{ source: string }> {
  const { name, language, folder } = project;
  checkName(name);
  const parts = toParts(project);
  for (const { from } of parts) await checkPart(from, project);
  await checkFolder(folder);
  for (const part of parts) await copyPart(part, project);
  return { source: sources[language] };
}

const sources: Readonly<Record<PluginLanguage, string>> = {
  typescript: "src/main.ts",
  python: "main.py",
  go: "main.go",
  rust: "src/main.rs",
};

/** The protocol a kind of plugin speaks. A hook is a tool that models do not see. */
const protocols: Readonly<Record<PluginKind, string>> = {
  tool: "plugin",
  hook: "plugin",
  channel: "channel",
  provider: "provider",
};

/** A file or folder that goes into a project. */
interface Part {
  readonly from: string;
  /** From the folder of the project. */
  readonly to: string;
  /** It is written for every plugin, under a name that is to be replaced. */
  readonly isTemplate?: boolean;
}

function toParts({ checkout, language, kind }: PluginProject): Part[] {
  const templates = join(checkout, "packages/plugin-sdk/templates");
  const service = `opentalon/${protocols[kind]}/v1`;
  const ofLanguage: Readonly<Record<PluginLanguage, readonly Part[]>> = {
    // Not published yet; so that the project works everywhere, it carries a copy.
    typescript: ["plugin-sdk", "protocol"].flatMap((name) => [
      { from: join(checkout, "packages", name, "dist"), to: `vendor/${name}/dist` },
      { from: join(checkout, "packages", name, "package.json"), to: `vendor/${name}/package.json` },
    ]),
    python: [{ from: join(checkout, "proto", service), to: `proto/${service}` }],
    go: [{ from: join(templates, "go/gen", service), to: "wire" }],
    rust: [{ from: join(checkout, "proto", service), to: `proto/${service}` }],
  };
  return [
    { from: join(templates, language, "common"), to: "", isTemplate: true },
    { from: join(templates, language, kind), to: "", isTemplate: true },
    { from: join(templates, "config", `${kind}.yaml`), to: "config.yaml", isTemplate: true },
    ...ofLanguage[language],
  ];
}

const maxNameLength = 40;

/** @throws ConfigError */
function checkName(name: string): void {
  const fail = (problem: string): ConfigError =>
    new ConfigError(
      "CONFIG_INVALID",
      `${JSON.stringify(name.slice(0, 100))} cannot be the name of a plugin: ${problem}`,
    );
  if (name.length > maxNameLength) throw fail(`it has more than ${maxNameLength} characters`);
  if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name))
    throw fail("it needs small letters, digits and single dashes, and begins with a letter");
  if (reservedNames.includes(name)) throw fail("OpenTalon uses it itself");
}

/** Plugins of these names are not taken. */
const reservedNames: readonly string[] = ["opentalon", "scheduler", "reminder", "mcp"];

/** @throws ConfigError */
async function checkPart(path: string, { checkout }: PluginProject): Promise<void> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  const problem = path.endsWith("/dist")
    ? `the SDK is not built yet: run "make all" in ${checkout}`
    : `${path} is missing: a plugin can be written from a checkout of OpenTalon only`;
  throw new ConfigError("CONFIG_NOT_FOUND", problem);
}

/** @throws ConfigError */
async function checkFolder(folder: string): Promise<void> {
  try {
    const entries = await readdir(folder);
    if (entries.length === 0) return;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    const problem = code === "ENOTDIR" ? "is a file" : `cannot be read: ${toMessage(error)}`;
    throw new ConfigError("CONFIG_INVALID", `${folder} ${problem}; choose another one with --dir`);
  }
  throw new ConfigError(
    "CONFIG_INVALID",
    `${folder} is not empty; choose another folder with --dir`,
  );
}

async function copyPart({ from, to, isTemplate = false }: Part, project: PluginProject) {
  const target = join(project.folder, to);
  const { isDirectory } = await stat(from).then((found) => ({ isDirectory: found.isDirectory() }));
  if (!isTemplate && isDirectory) {
    await cp(from, target, { recursive: true, filter: isForAuthors });
    return;
  }
  const files = isDirectory ? await listFiles(from) : [""];
  for (const file of files) {
    // A template must not hide files of the folder it lies in.
    const place = join(target, file === "gitignore" ? ".gitignore" : file);
    const text = await readFile(join(from, file), "utf8");
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, isTemplate ? fillIn(text, project) : withoutSources(text));
  }
}

/** What the compiler leaves for itself stays here. */
function isForAuthors(path: string): boolean {
  return extname(path) !== ".map" && !path.endsWith(".tsbuildinfo");
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));
}

function fillIn(text: string, { name, kind }: PluginProject): string {
  return text.replaceAll("my-binary", toBinaryName(name, kind)).replaceAll("my-plugin", name);
}

/** As OpenTalon calls what it builds from a repository. */
function toBinaryName(name: string, kind: PluginKind): string {
  if (name.includes("-")) return name;
  return `${name}-${kind === "channel" ? "channel" : "plugin"}`;
}

/** A package as it is used elsewhere: compiled, and without what only its own tests need. */
function withoutSources(packageJson: string): string {
  const {
    devDependencies: _,
    exports,
    ...rest
  } = JSON.parse(packageJson) as {
    readonly devDependencies?: unknown;
    readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
  const compiled = Object.entries(exports).map(([path, { "@opentalon/source": __, ...each }]) => [
    path,
    each,
  ]);
  const whole = { ...rest, exports: Object.fromEntries(compiled) as unknown };
  return `${JSON.stringify(whole, null, 2)}\n`;
}
