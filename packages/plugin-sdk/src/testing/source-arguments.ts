import { fileURLToPath } from "node:url";

const cache = fileURLToPath(new URL("../../../../node_modules/.cache/tests", import.meta.url));
const keepCompiled = `import { enableCompileCache } from "node:module"; enableCompileCache(${JSON.stringify(cache)});`;

/** Has Node run a program of this checkout from its sources; what it compiled before it need not compile again. */
export const sourceArguments: readonly string[] = [
  "--conditions=@opentalon/source",
  `--import=data:text/javascript,${encodeURIComponent(keepCompiled)}`,
];
