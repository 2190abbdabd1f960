import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createManualClock, systemClock } from "../../base/clock.ts";
import { SourceError } from "../../base/errors.ts";
import { fetchGitSource, type GitSource, type GitSourceOptions } from "./git-source.ts";
import { hashFolder, readInside } from "./source-files.ts";
import {
  createFolder,
  createGitRepository,
  type GitRepository,
  hasGit,
} from "./testing/git-repository.ts";

const fetchInto = (
  into: string,
  repository: string,
  reference?: string,
  more: Partial<GitSourceOptions> = {},
): Promise<GitSource> =>
  fetchGitSource({
    repository,
    reference,
    into,
    clock: systemClock,
    host: process.env,
    ...more,
  });

async function failure(pending: Promise<unknown>): Promise<SourceError> {
  const error: unknown = await pending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SourceError);
  return error as SourceError;
}

describe.skipIf(!hasGit())("a source in git (needs git)", () => {
  const createTwo = (): { repository: GitRepository; first: string; second: string } => {
    const repository = createGitRepository();
    const first = repository.commit({ "a.lua": "one" });
    const second = repository.commit({ "a.lua": "two", "deep/b.lua": "b" });
    return { repository, first, second };
  };

  it("is the newest commit of the default branch, without history", async () => {
    const { repository, second } = createTwo();
    const into = join(createFolder(), "made");
    const { commit, folder } = await fetchInto(into, repository.path);
    expect(commit).toBe(second);
    expect(folder).toBe(join(into, second));
    expect(readdirSync(into)).toEqual([second]);
    expect(readdirSync(folder).toSorted()).toEqual(["a.lua", "deep"]);
    expect(readFileSync(join(folder, "a.lua"), "utf8")).toBe("two");
  });

  it("can be a branch, a tag with words or without, and a commit that is the tip of nothing", async () => {
    const { repository, first, second } = createTwo();
    repository.git("branch", "feature/x", first);
    repository.git("tag", "v1", first);
    repository.git("tag", "--annotate", "--message=words", "v2", second);
    const orphan = repository.commit({ "c.lua": "c" });
    repository.git("reset", "--quiet", "--hard", second);
    const into = createFolder();
    const commitOf = async (reference: string, url = repository.path): Promise<string> =>
      (await fetchInto(into, url, reference)).commit;
    expect(await commitOf("feature/x")).toBe(first);
    expect(await commitOf("v1")).toBe(first);
    expect(await commitOf("v2", `file://${repository.path}`)).toBe(second);
    expect(await commitOf(first)).toBe(first);
    expect(await commitOf(orphan)).toBe(orphan);
  });

  it("says what is missing", async () => {
    const { repository, first } = createTwo();
    const into = createFolder();
    const ask = (reference: string): Promise<SourceError> =>
      failure(fetchInto(into, repository.path, reference));
    expect(await ask("none")).toMatchObject({ code: "SOURCE_MISSING" });
    expect((await ask(first.slice(0, 10))).message).toContain("with all its digits");
    expect(await ask("0123456789".repeat(4))).toMatchObject({ code: "SOURCE_MISSING" });
    expect(await failure(fetchInto(into, join(into, "nowhere")))).toMatchObject({
      code: "SOURCE_UNAVAILABLE",
    });
    expect(readdirSync(into)).toEqual([]);
  });

  it("takes files as they are, and runs nothing of the repository or of the user", async () => {
    const repository = createGitRepository();
    const home = createFolder();
    const trace = join(home, "was-run");
    const program = join(home, "program");
    writeFileSync(program, `#!/bin/sh\necho run >> ${trace}\ncat\n`);
    chmodSync(program, 0o755);
    writeFileSync(
      join(home, ".gitconfig"),
      `[filter "evil"]\n smudge = ${program}\n[core]\n fsmonitor = ${program}\n hooksPath = ${home}\n[alias]\n fetch = !${program}\n`,
    );
    writeFileSync(join(home, "post-checkout"), `#!/bin/sh\necho hook >> ${trace}\n`);
    chmodSync(join(home, "post-checkout"), 0o755);
    repository.commit({
      ".gitattributes": "*.lua filter=evil eol=crlf ident text\n",
      ".gitmodules": `[submodule "x"]\n path = x\n url = ${repository.path}\n`,
      "a.lua": "$Id$\nline\n",
    });
    const host = {
      PATH: process.env["PATH"],
      HOME: home,
      GIT_CONFIG_GLOBAL: join(home, ".gitconfig"),
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "core.fsmonitor",
      GIT_CONFIG_VALUE_0: program,
      GIT_SSH_COMMAND: program,
      GIT_EXEC_PATH: home,
    };
    const { folder } = await fetchInto(createFolder(), repository.path, "", { host });
    expect(readFileSync(join(folder, "a.lua"), "utf8")).toBe("$Id$\nline\n");
    expect(existsSync(trace)).toBe(false);
  });

  it("has an end: too much, too many, too long, given up", async () => {
    const { repository } = createTwo();
    repository.commit({ "zeros.txt": "0".repeat(200_000) });
    const into = createFolder();
    const limits = { maxBytes: 100_000 };
    expect(await failure(fetchInto(into, repository.path, "", { limits }))).toMatchObject({
      code: "SOURCE_TOO_LARGE",
    });
    expect(
      await failure(fetchInto(into, repository.path, "", { limits: { maxFiles: 2 } })),
    ).toMatchObject({ code: "SOURCE_TOO_LARGE" });
    const clock = createManualClock();
    const late = failure(
      fetchInto(into, repository.path, "", { clock, onProgress: () => clock.advance(120_000) }),
    );
    expect(await late).toMatchObject({ code: "SOURCE_TIMED_OUT" });
    const given = new AbortController();
    given.abort(new Error("enough"));
    await expect(fetchInto(into, repository.path, "", { signal: given.signal })).rejects.toThrow(
      "enough",
    );
    expect(readdirSync(into)).toEqual([]);
  });

  it("does not tell each count of git", async () => {
    const { repository } = createTwo();
    const files: Record<string, string> = {};
    for (let index = 0; index < 300; index++) files[`f${index}.txt`] = `${index}`;
    repository.commit(files);
    const told: string[] = [];
    await fetchInto(createFolder(), repository.path, "", {
      clock: createManualClock(),
      onProgress: (line) => told.push(line),
    });
    expect(told.filter((line) => /% /.test(line) && !line.endsWith("done."))).toEqual([]);
    expect(told).not.toEqual([]);
  });

  it("replaces what lies in its place", async () => {
    const { repository, second } = createTwo();
    const into = createFolder();
    const { folder } = await fetchInto(into, repository.path);
    const hash = await hashFolder(folder);
    writeFileSync(join(folder, "a.lua"), "changed");
    writeFileSync(join(folder, "extra"), "x");
    expect(await hashFolder(folder)).not.toBe(hash);
    await fetchInto(into, repository.path, second);
    expect(await hashFolder(folder)).toBe(hash);
  });

  it("is read inside only", async () => {
    const repository = createGitRepository();
    const outside = createFolder();
    writeFileSync(join(outside, "secret"), "secret");
    repository.link("out.lua", join(outside, "secret"));
    repository.link("up.lua", "../../../../../../../../etc/passwd");
    repository.link("dir", outside);
    repository.link("in.lua", "a.lua");
    repository.commit({ "a.lua": "one" });
    const { folder } = await fetchInto(createFolder(), repository.path);
    const read = (path: string): Promise<string | undefined> => readInside(folder, path, 1_000);
    expect(await read("in.lua")).toBe("one");
    expect(await read("none.lua")).toBeUndefined();
    for (const path of ["out.lua", "up.lua", "dir/secret", "../..", "."])
      await expect(read(path)).rejects.toMatchObject({ code: "SOURCE_INVALID" });
    await expect(readInside(folder, "a.lua", 2)).rejects.toMatchObject({ code: "SOURCE_INVALID" });
  });
});

it("says so when there is no git", async () => {
  const host = { PATH: createFolder() };
  expect(await failure(fetchInto(createFolder(), "/nowhere", "", { host }))).toMatchObject({
    code: "SOURCE_UNAVAILABLE",
    message: expect.stringContaining("git could not be started") as string,
  });
});
