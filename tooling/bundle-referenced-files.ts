import { readFile } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import type { Plugin } from "rolldown";

export interface BundleReferencedFilesOptions {
  /** Folders of our own sources; packages from elsewhere are left alone. */
  readonly within: readonly string[];
}

/**
 * Lets a source file name another by `new URL("./worker.ts", import.meta.url)`, for workers and files read at run time,
 * and keeps that true in the bundle: scripts become chunks, everything else is copied.
 */
export function bundleReferencedFiles({ within }: BundleReferencedFilesOptions): Plugin {
  return {
    name: "bundle-referenced-files",
    transform: {
      filter: { code: "import.meta.url" },
      async handler(code, id) {
        if (
          !within.some((folder) => id.startsWith(`${folder}${sep}`)) ||
          id.includes("node_modules")
        )
          return null;
        let result = code;
        for (const [expression, path = ""] of code.matchAll(reference)) {
          const file = join(dirname(id), path);
          const isScript = /\.[cm]?[jt]s$/.test(file);
          const emitted = isScript
            ? this.emitFile({
                type: "chunk",
                id: file,
                name: basename(file).replace(/\.[^.]+$/, ""),
              })
            : this.emitFile({ type: "asset", name: basename(file), source: await readFile(file) });
          result = result.replace(expression, `new URL(import.meta.ROLLUP_FILE_URL_${emitted})`);
        }
        return result === code ? null : { code: result, map: null };
      },
    },
  };
}

/** Folders, which end in a slash, are left alone: what is looked up in them is not known here. */
const reference = /new URL\(\s*["'](\.[^"']*[^"'/])["'],\s*import\.meta\.url,?\s*\)/g;
