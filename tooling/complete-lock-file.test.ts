import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { findMissingPackages } from "./complete-lock-file.ts";

it("adds packages for other platforms where npm would have put them", () => {
  const lockFile = {
    packages: {
      "node_modules/tool": {
        version: "2.0.0",
        optionalDependencies: {
          "@tool/linux-x64-musl": "2.0.0",
          "@tool/darwin-arm64": "2.0.0",
          fsevents: "~2.3.2",
        },
      },
      "node_modules/@tool/darwin-arm64": { version: "2.0.0" },
      "node_modules/other/node_modules/tool": {
        version: "1.0.0",
        optionalDependencies: {
          "@tool/darwin-arm64": "1.0.0",
          "@tool/linux-arm-gnueabihf": "1.0.0",
        },
      },
    },
  };
  expect(findMissingPackages(lockFile)).toEqual({
    "node_modules/@tool/linux-x64-musl": {
      version: "2.0.0",
      cpu: ["x64"],
      libc: ["musl"],
      os: ["linux"],
      optional: true,
    },
    "node_modules/other/node_modules/@tool/darwin-arm64": {
      version: "1.0.0",
      cpu: ["arm64"],
      os: ["darwin"],
      optional: true,
    },
    "node_modules/@tool/linux-arm-gnueabihf": {
      version: "1.0.0",
      cpu: ["arm"],
      libc: ["glibc"],
      os: ["linux"],
      optional: true,
    },
  });
});

it("finds nothing missing in package-lock.json; else run `node tooling/complete-lock-file.ts`", () => {
  const text = readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8");
  const lockFile = JSON.parse(text) as Parameters<typeof findMissingPackages>[0];
  expect(Object.keys(findMissingPackages(lockFile))).toEqual([]);
});
