import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { parseConfig } from "../config/load-config.ts";
import {
  createFolder,
  createGitRepository,
  hasGit,
} from "../plugins/sources/testing/git-repository.ts";
import { hasTool, makeFiles } from "../plugins/sources/testing/plugin-repositories.ts";
import type { WantedBuild } from "../plugins/sources/built-sources.ts";
import { createSourcePreparation, type SourcePreparation } from "./prepare-sources.ts";

interface Place extends AsyncDisposable {
  readonly prepare: (wanted: WantedBuild) => ReturnType<SourcePreparation["prepare"]>;
  readonly wait: (ms: number) => void;
}

function createPlace(): Place {
  const text = JSON.stringify({ state: { data_dir: createFolder() } });
  const { config } = parseConfig({ text, path: "/x/config.yaml", environment: {} });
  let laterMs = 0;
  const preparation = createSourcePreparation({
    purpose: "plugin",
    config,
    environment: process.env,
    clock: { ...systemClock, now: () => Date.now() + laterMs },
    log: createSilentLog(),
  });
  return {
    prepare: (wanted) => preparation.prepare(wanted, new AbortController().signal),
    wait: (ms) => (laterMs += ms),
    [Symbol.asyncDispose]: preparation[Symbol.asyncDispose],
  };
}

const want = (repository: string, reference = ""): WantedBuild => ({
  name: "tiny",
  source: { kind: "git", repository, reference },
  bundle: "",
});

const canBuild = hasGit() && hasTool("make");
const skipNote = canBuild ? "" : ", skipped: git and make are needed";
describe.skipIf(!canBuild)(`preparing a plugin${skipNote}`, () => {
  it("builds it once, and a failed build is not repeated at once", async () => {
    const trace = join(createFolder(), "builds");
    const builds = (): number => (existsSync(trace) ? readFileSync(trace, "utf8").length : 0);
    const repository = createGitRepository();
    repository.commit({ Makefile: `build:\n\tprintf x >> ${trace}\n\techo the reason; exit 1\n` });
    await using place = createPlace();
    const { prepare, wait } = place;
    await expect(prepare(want(repository.path))).rejects.toMatchObject({
      code: "SOURCE_BUILD_FAILED",
      message: expect.stringContaining("make: ") as string,
    });
    await expect(prepare(want(repository.path))).rejects.toThrow("exit code 2");
    expect(builds()).toBe(1);
    wait(7_200_000);
    await expect(prepare(want(repository.path))).rejects.toThrow("exit code 2");
    expect(builds()).toBe(2);
    wait(7_200_000);
    repository.commit(makeFiles("fine"));
    const first = await prepare(want(repository.path));
    expect(await prepare(want(repository.path))).toEqual(first);
  });

  it("keeps to what was built before while another ref cannot be", async () => {
    const repository = createGitRepository();
    repository.commit(makeFiles("one"));
    await using place = createPlace();
    const { prepare } = place;
    const before = await prepare(want(repository.path));
    expect(await prepare(want(repository.path, "no-such-branch"))).toEqual(before);
    repository.git("checkout", "--quiet", "-b", "broken");
    repository.commit({ Makefile: "build:\n\texit 1\n" });
    expect(await prepare(want(repository.path, "broken"))).toEqual(before);
    const other = createGitRepository();
    await expect(prepare(want(other.path, "main"))).rejects.toMatchObject({
      code: "SOURCE_MISSING",
    });
  });
});

it("takes a program that lies ready in a folder as it is", async () => {
  const folder = createFolder();
  writeFileSync(join(folder, "tiny-plugin"), "#!/bin/sh\n", { mode: 0o755 });
  await using place = createPlace();
  const wanted = { name: "tiny", source: { kind: "folder", path: folder }, bundle: "" } as const;
  expect(await place.prepare(wanted)).toEqual({
    command: [join(folder, "tiny-plugin")],
    folder,
  });
});
