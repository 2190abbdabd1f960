import { isBuiltin } from "node:module";
import { posix } from "node:path";
import {
  folders,
  freeBuiltins,
  freeProcessMembers,
  places,
  productSource,
  testFiles,
  workspacePackages,
} from "../architecture.ts";
import type { Folder, Place } from "../architecture.ts";

/** One coupling of a file to something else. */
export interface Coupling {
  /** Path of the importing file from the root of the checkout, with forward slashes. */
  readonly file: string;
  /** What stands in the quotes. */
  readonly specifier: string;
  /** Whether nothing is loaded by it: `import type`, `export type … from`, `typeof import("…")`. */
  readonly typeOnly: boolean;
}

/** Where a file belongs. */
type Home =
  | {
      readonly kind: "product";
      readonly name: string;
      readonly folder: Folder;
      readonly rest: string;
      readonly test: boolean;
    }
  | {
      readonly kind: "place";
      readonly name: string;
      readonly place: Place;
      readonly root: string;
      readonly test: boolean;
    }
  /** A file the table does not know; `missing` is the folder of the product without a line, if it is one. */
  | { readonly kind: "unknown"; readonly missing: string | undefined };

/** Why `architecture.ts` forbids a coupling, in words for who wrote it; `undefined` when it is allowed. */
export function explainForbiddenImport(coupling: Coupling): string | undefined {
  const home = toHome(coupling.file);
  if (home.kind === "unknown") {
    return home.missing === undefined
      ? undefined
      : `${home.missing} has no line in architecture.ts`;
  }
  const { specifier } = coupling;
  if (specifier.startsWith("#"))
    return "subpath imports hide where a file lies: import it by its path";
  if (specifier.startsWith("/") || /^[a-z]+:\/\//.test(specifier)) {
    return "import by a relative path or by the name of a package";
  }
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(coupling.file), specifier);
    return home.kind === "product"
      ? explainProductPath(home, target, coupling.typeOnly)
      : explainPlacePath(home, target);
  }
  if (isBuiltin(specifier)) return explainBuiltin(home, specifier);
  return home.kind === "product"
    ? explainLibrary(home, specifier)
    : explainPackage(home, specifier);
}

/** Why a file may not touch `process.<member>` (`undefined`: `process` as a whole), or `undefined` when it may. */
export function explainForbiddenProcess(
  file: string,
  member: string | undefined,
): string | undefined {
  const home = toHome(file);
  if (home.kind === "unknown" || home.test) return undefined;
  if (home.kind === "place" ? home.place.node : home.folder.process === "all") return undefined;
  if (member === undefined)
    return "name the member: `process` as a value hides what is read from it";
  if (freeProcessMembers.includes(member)) return undefined;
  if (home.kind === "product" && home.folder.process?.includes(member) === true) return undefined;
  return `process.${member} belongs to ${ownersOfProcess(member).join(" and ")}: take what you need as a dependency`;
}

/** Whether code in `file` may hide the target of an import from this check. */
export function mayImportComputed(file: string): boolean {
  const home = toHome(file);
  return !(home.kind === "product" && !home.test);
}

type ProductHome = Extract<Home, { readonly kind: "product" }>;
type PlaceHome = Extract<Home, { readonly kind: "place" }>;

function explainProductPath(
  home: ProductHome,
  target: string,
  typeOnly: boolean,
): string | undefined {
  const to = toHome(target);
  if (to.kind === "unknown" && to.missing !== undefined)
    return `${to.missing} has no line in architecture.ts`;
  if (to.kind !== "product")
    return "a relative import stays in its package: import the other package by its name";
  if (to.test && !home.test) return "product code does not import what only tests load";
  if (to.name === home.name) return undefined;
  if (home.test) {
    const above: readonly string[] = testFiles.above;
    if (!above.includes(to.name) || above.includes(home.name)) return undefined;
    return `tests of ${home.name} do not reach up to ${to.name}`;
  }
  if (home.folder.imports.includes(to.name)) return undefined;
  if (home.folder.types?.includes(to.name) === true) {
    return typeOnly
      ? undefined
      : `${home.name} may import ${to.name} as types only: write \`import type\``;
  }
  return `${home.name} may not import ${to.name} (${describeImports(home.folder)})`;
}

function describeImports(folder: Folder): string {
  const allowed =
    folder.imports.length === 0
      ? "it imports nothing but itself"
      : `it may import ${folder.imports.join(", ")}`;
  return folder.types === undefined ? allowed : `${allowed}, and the stages as types`;
}

function explainPlacePath(home: PlaceHome, target: string): string | undefined {
  const { reach } = home.place;
  const isTestFile = testFiles.pattern.test(target);
  if (reach === "checkout" || (reach === "test helpers" && isTestFile)) return undefined;
  if (!isInside(target, home.root)) {
    return reach === "package"
      ? "a relative import stays in its package: import the other package by its name"
      : `${home.name} reaches into other packages only for their test helpers`;
  }
  return isTestFile && !home.test && reach === "package"
    ? "product code does not import what only tests load"
    : undefined;
}

function explainBuiltin(home: ProductHome | PlaceHome, specifier: string): string | undefined {
  if (!specifier.startsWith("node:")) return `write node:${specifier}`;
  if (home.test || (home.kind === "place" && home.place.node)) return undefined;
  const name = specifier.split("/", 1)[0] ?? specifier;
  if (freeBuiltins.includes(name)) return undefined;
  if (home.kind === "product" && mayUse(home, name)) return undefined;
  return explainOwners(home.name, name);
}

function explainLibrary(home: ProductHome, specifier: string): string | undefined {
  const name = toPackageName(specifier);
  if (name === "opentalon") return "inside the product, import a file by its path";
  if (home.test || mayUse(home, name)) return undefined;
  return explainOwners(home.name, name);
}

function explainPackage(home: PlaceHome, specifier: string): string | undefined {
  const name = toPackageName(specifier);
  const { packages, libraries } = home.place;
  if (workspacePackages[name] !== undefined) {
    if (workspacePackages[name] === home.root || packages.includes(name)) return undefined;
    return `${home.name} may not import ${name}`;
  }
  if (home.test || libraries === "any" || libraries.includes(name)) return undefined;
  return `${home.name} may not use ${name}`;
}

function explainOwners(user: string, name: string): string {
  const owners = Object.entries(folders).flatMap(([owner, folder]) =>
    folder.uses
      .filter((use) => matchesUse(use, name))
      .map((use) => (typeof use === "string" ? owner : `${owner}/${use.within}`)),
  );
  if (owners.length === 0)
    return `${user} may not use ${name}: nobody may, it has no line in architecture.ts`;
  return `${user} may not use ${name}: only ${owners.join(", ")} may`;
}

function mayUse(home: ProductHome, name: string): boolean {
  return home.folder.uses.some(
    (use) => matchesUse(use, name) && (typeof use === "string" || home.rest.startsWith(use.within)),
  );
}

function matchesUse(use: Folder["uses"][number], name: string): boolean {
  const pattern = typeof use === "string" ? use : use.name;
  return pattern.endsWith("/*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function ownersOfProcess(member: string): string[] {
  return Object.entries(folders)
    .filter(([, folder]) => folder.process === "all" || folder.process?.includes(member) === true)
    .map(([name]) => name);
}

function toHome(file: string): Home {
  if (isInside(file, productSource)) {
    const [name = "", ...rest] = file.slice(productSource.length + 1).split("/");
    const folder = Object.hasOwn(folders, name) ? folders[name] : undefined;
    const test = testFiles.pattern.test(file);
    if (folder !== undefined) return { kind: "product", name, folder, rest: rest.join("/"), test };
    const tested = name.replace(/\.test\.ts$/, ".ts");
    const testedFolder = Object.hasOwn(folders, tested) ? folders[tested] : undefined;
    if (testedFolder !== undefined) {
      return { kind: "product", name: tested, folder: testedFolder, rest: "", test: true };
    }
    return { kind: "unknown", missing: `${productSource}/${name}` };
  }
  const name = Object.keys(places)
    .filter((path) => isInside(file, path))
    .sort((a, b) => b.length - a.length)[0];
  const place = name === undefined ? undefined : places[name];
  if (name === undefined || place === undefined) return { kind: "unknown", missing: undefined };
  const isSinglePackage =
    Object.values(workspacePackages).includes(name) || place.reach !== "package";
  const root = isSinglePackage
    ? name
    : file
        .split("/")
        .slice(0, name.split("/").length + 1)
        .join("/");
  return { kind: "place", name, place, root, test: testFiles.pattern.test(file) };
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function toPackageName(specifier: string): string {
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}
