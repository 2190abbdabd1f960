import { SourceError } from "../../base/errors.ts";
import { readInside } from "../sources/source-files.ts";
import { toUsualNames } from "./find-executable.ts";
import type { Builder, BuildPlace, BuiltProgram } from "./builder.ts";

const maxFileBytes = 1_048_576;
const environmentFolder = ".opentalon-venv";
const python = `./${environmentFolder}/bin/python`;

/** Prints what the package of this folder installed: scripts for the console, and packages that can be run. */
const listPrograms = `
import importlib.metadata, json, os, sys, urllib.parse, urllib.request
here = os.path.realpath(os.getcwd())
scripts, modules = [], []
for found in importlib.metadata.distributions():
    address = json.loads(found.read_text("direct_url.json") or "{}").get("url", "")
    path = urllib.request.url2pathname(urllib.parse.urlsplit(address).path)
    if not address.startswith("file:") or os.path.realpath(path) != here:
        continue
    scripts += [e.name for e in found.entry_points if e.group == "console_scripts"]
    modules += [f.parts[0] for f in found.files or [] if len(f.parts) == 2 and f.name == "__main__.py"]
print(json.dumps({"scripts": scripts, "modules": modules}))
`;

/** `pip install .` into an environment that lies in the folder. */
export const pythonBuilder: Builder = {
  kind: "python",
  matches: async ({ folder }) =>
    (await readInside(folder, "pyproject.toml", maxFileBytes)) !== undefined,
  build: async (place, run) => {
    // Copies, because a link to the interpreter would lead out of the folder.
    await run({ command: ["python3", "-m", "venv", "--copies", environmentFolder] });
    await run({ command: [python, "-m", "pip", "install", "."] });
    // It has done its work, and would be looked through before each start.
    await run({ command: [python, "-m", "pip", "uninstall", "--yes", "pip"] });
    let listed = "";
    await run({
      command: [python, "-c", listPrograms],
      onOutput: (line) => (listed = line),
    });
    return choose(place, JSON.parse(listed) as Installed);
  },
};

interface Installed {
  readonly scripts: readonly string[];
  readonly modules: readonly string[];
}

/** Without writing byte code: what was built must stay as it was. */
function choose(place: BuildPlace, { scripts, modules }: Installed): BuiltProgram {
  const usual = toUsualNames(place);
  const pick = (names: readonly string[], toName: (name: string) => string): string | undefined => {
    const only = names.length === 1 ? names[0] : undefined;
    return usual.map(toName).find((name) => names.includes(name)) ?? only;
  };
  const script = pick(scripts, (name) => name);
  if (script !== undefined) {
    const path = `./${environmentFolder}/bin/${script}`;
    return { command: [python, "-B", path], path };
  }
  const module = pick(modules, (name) => name.replaceAll("-", "_"));
  if (module !== undefined) return { command: [python, "-B", "-m", module], path: python };
  throw new SourceError(
    "SOURCE_BUILD_FAILED",
    scripts.length > 1
      ? `it installs several programs (${scripts.join(", ")}), and none is called ${place.binary}`
      : "it installs nothing to run: neither a console script nor a package with __main__.py",
  );
}
