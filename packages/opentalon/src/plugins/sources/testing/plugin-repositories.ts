import { isOnPath } from "../../building/build-step.ts";

/**
 * Sources of tiny plugins, one for each way of building, without dependencies. Each program prints its word and ends; none
 * speaks to OpenTalon.
 */
export type Files = Readonly<Record<string, string>>;

export const goFiles = (word: string): Files => ({
  "go.mod": "module example.com/tiny\n\ngo 1.20\n",
  "main.go": `package main\n\nfunc main() { println("${word}") }\n`,
});

export const makeFiles = (word: string): Files => ({
  Makefile: `.PHONY: build\nbuild:\n\tprintf '#!/bin/sh\\necho ${word} >&2\\n' > $(BINARY_NAME)\n\tchmod +x $(BINARY_NAME)\n`,
});

export const nodeFiles = (word: string): Files => ({
  "package.json": JSON.stringify({
    name: "tiny",
    version: "1.0.0",
    bin: { tiny: "dist/main.js" },
    scripts: {
      build: `node -e "fs.mkdirSync('dist');fs.writeFileSync('dist/main.js','console.error(\\'${word}\\')')"`,
    },
  }),
});

/** Builds itself, so that pip needs nothing from anywhere. */
export const pythonFiles = (word: string): Files => ({
  "pyproject.toml":
    '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
  "tiny/__init__.py": `import sys\ndef main():\n    print("${word}", file=sys.stderr)\n`,
  "backend.py": `import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info/"
    files = {
        "tiny/__init__.py": open("tiny/__init__.py").read(),
        info + "METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        info + "entry_points.txt": "[console_scripts]\\ntiny = tiny:main\\n",
    }
    files[info + "RECORD"] = "".join(path + ",,\\n" for path in [*files, info + "RECORD"])
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
`,
});

export const cargoFiles = (word: string): Files => ({
  "Cargo.toml": '[package]\nname = "tiny"\nversion = "0.1.0"\nedition = "2021"\n',
  "src/main.rs": `fn main() { eprintln!("${word}"); }\n`,
});

/** Ways to build, the program each needs, and the words for one that is not here. */
export const waysToBuild: readonly {
  readonly kind: string;
  readonly tool: string;
  readonly files: (word: string) => Files;
}[] = [
  { kind: "a Makefile", tool: "make", files: makeFiles },
  { kind: "go.mod", tool: "go", files: goFiles },
  { kind: "package.json", tool: "npm", files: nodeFiles },
  { kind: "pyproject.toml", tool: "python3", files: pythonFiles },
  { kind: "Cargo.toml", tool: "cargo", files: cargoFiles },
];

export function hasTool(tool: string): boolean {
  return isOnPath(tool, process.env["PATH"] ?? "");
}
