import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

if (Number.parseInt(process.versions.node, 10) < 26) {
  throw new Error(
    `Tests run on Node 26, this is ${process.version}: use \`make test\` or \`npx vitest\``,
  );
}

const seconds = 1_000;

export default defineConfig({
  // Packages of the workspace are loaded from their sources, not from what was built last.
  resolve: { conditions: ["@opentalon/source", "node"] },
  ssr: { resolve: { conditions: ["@opentalon/source", "node"] } },
  test: {
    pool: "forks",
    setupFiles: ["./tooling/testing/leak-check.ts", "./tooling/testing/fuzz-runs.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{packages,plugins,channels,tooling,bench}/**/*.test.ts"],
          // Tests of the plugins that are written from them.
          exclude: ["**/node_modules/**", "**/templates/**"],
          // Most of them wait for processes and timers, so three at once fit even on two cores.
          maxWorkers: Math.max(3, availableParallelism() - 1),
          testTimeout: 20 * seconds,
          hookTimeout: 30 * seconds,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["e2e/**/*.test.ts"],
          exclude: ["e2e/languages.test.ts"],
          // Each file starts several processes already.
          maxWorkers: 3,
          testTimeout: 90 * seconds,
          hookTimeout: 90 * seconds,
        },
      },
      {
        extends: true,
        test: {
          name: "languages",
          include: ["e2e/languages.test.ts"],
          testTimeout: 90 * seconds,
          hookTimeout: 90 * seconds,
        },
      },
    ],
  },
});
