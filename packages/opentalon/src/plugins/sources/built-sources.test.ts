import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { SourceError } from "../../base/errors.ts";
import { type BuildPurpose, findDefinition } from "../building/builder.ts";
import type { Environment } from "../child-environment.ts";
import {
  type FinishedBuild,
  createBuiltSources,
  type InstalledBuild,
  type BuiltSources,
  type WantedBuild,
} from "./built-sources.ts";
import { createGitServer } from "./testing/git-server.ts";
import { createFolder, createGitRepository, hasGit } from "./testing/git-repository.ts";
import {
  goFiles,
  hasTool,
  makeFiles,
  nodeFiles,
  waysToBuild,
} from "./testing/plugin-repositories.ts";

interface Place {
  readonly dataDir: string;
  readonly sources: BuiltSources;
  readonly lines: string[];
  readonly lock: () => Record<string, Record<string, unknown>>;
  readonly install: (wanted: WantedBuild, newest?: boolean) => Promise<InstalledBuild>;
}

function createPlace(
  host: Environment = process.env,
  dataDir = createFolder(),
  purpose: BuildPurpose = "plugin",
): Place {
  const lines: string[] = [];
  const sources = createBuiltSources({
    purpose,
    dataDir,
    buildTimeoutMs: 300_000,
    clock: systemClock,
    host,
    log: createSilentLog(),
  });
  return {
    dataDir,
    sources,
    lines,
    lock: () =>
      (
        parse(readFileSync(join(dataDir, `${purpose}s.lock`), "utf8")) as Record<
          string,
          Record<string, Record<string, unknown>>
        >
      )[`${purpose}s`] ?? {},
    install: (wanted, newest) =>
      sources.install(wanted, {
        signal: new AbortController().signal,
        onLine: (line) => lines.push(line),
        newest,
      }),
  };
}

const wantGit = (repository: string, reference = "", name = "tiny"): WantedBuild => ({
  name,
  source: { kind: "git", repository, reference },
  bundle: "",
});

/** What the program says on standard error. */
async function say(built: object): Promise<string> {
  const { program } = built as FinishedBuild;
  const [file = "", ...rest] = program.command;
  const child = spawn(file, rest, { stdio: ["ignore", "ignore", "pipe"], cwd: createFolder() });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (more: string) => (text += more));
  await once(child, "close");
  return text.trim();
}

async function failure(pending: Promise<unknown>): Promise<SourceError> {
  const error: unknown = await pending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SourceError);
  return error as SourceError;
}

/** A PATH with nothing on it but these. */
function pathWith(...tools: readonly string[]): string {
  const folder = createFolder();
  for (const tool of tools) {
    const found = execFileSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).trim();
    symlinkSync(found, join(folder, tool));
  }
  return folder;
}

const shellTools = ["git", "make", "sh", "chmod", "printf"] as const;

describe.skipIf(!hasGit())("plugins from repositories (needs git)", () => {
  for (const { kind, tool, files } of waysToBuild) {
    const isHere = hasTool(tool);
    it.skipIf(!isHere)(
      `are built from ${kind}${isHere ? "" : `, skipped: there is no ${tool}`}`,
      async () => {
        const repository = createGitRepository();
        const commit = repository.commit(files("one"));
        const place = createPlace();
        const installed = await place.install(wantGit(repository.path));
        expect(installed).toMatchObject({ commit, before: "" });
        expect(await say(installed)).toBe("one");
        const found = await place.sources.find(wantGit(repository.path));
        expect(found).toMatchObject({ kind: "current", commit, program: installed.program });
        expect(await say(found)).toBe("one");
        // Running it has not changed it.
        expect((await place.sources.find(wantGit(repository.path))).kind).toBe("current");
        const pin = place.lock()["tiny"];
        expect(pin).toMatchObject({ github: repository.path, ref: "", resolved: commit });
        expect(existsSync(join(place.dataDir, String(pin?.["path"])))).toBe(true);
        expect(readdirSync(join(place.dataDir, "plugin_builds", "tiny"))).toHaveLength(1);
      },
      // Compilers and pip take their time on a busy machine.
      120_000,
    );
  }

  it("start again without git, network and toolchain, wherever the data folder has gone", async () => {
    const repository = createGitRepository();
    repository.commit(makeFiles("one"));
    const first = createPlace();
    await first.install(wantGit(repository.path));
    rmSync(repository.path, { recursive: true });
    const moved = join(createFolder(), "moved");
    renameSync(first.dataDir, moved);
    mkdirSync(first.dataDir);
    const second = createPlace({ PATH: createFolder() }, moved);
    const found = await second.sources.find(wantGit(repository.path));
    expect(found.kind).toBe("current");
    expect(await say(found)).toBe("one");
  });

  it("come over HTTP: a moved branch, tags with words or without, a commit that is the tip of nothing", async () => {
    const repository = createGitRepository();
    repository.git("branch", "--move", "trunk");
    const one = repository.commit(makeFiles("one"));
    repository.git("tag", "v1");
    repository.git("tag", "--annotate", "--message=words", "v2");
    const two = repository.commit(makeFiles("two"));
    await using server = await createGitServer(dirname(repository.path));
    const url = server.urlOf(`${repository.path.slice(dirname(repository.path).length + 1)}/.git`);
    const place = createPlace();
    const commitOf = async (reference: string, name: string): Promise<string> =>
      (await place.install(wantGit(url, reference, name))).commit;
    expect(await commitOf("", "newest")).toBe(two);
    expect(await commitOf("trunk", "branch")).toBe(two);
    expect(await commitOf("v1", "tag")).toBe(one);
    expect(await commitOf("v2", "words")).toBe(one);
    expect(await commitOf(one, "commit")).toBe(one);
    const three = repository.commit(makeFiles("three"));
    // Pinned is pinned, also when it has to be built once more.
    rmSync(join(place.dataDir, "plugin_builds"), { recursive: true });
    expect(await place.sources.find(wantGit(url, "trunk", "branch"))).toEqual({ kind: "none" });
    expect(await commitOf("trunk", "branch")).toBe(two);
    const updated = await place.install(wantGit(url, "trunk", "branch"), true);
    expect(updated).toMatchObject({ commit: three, before: two });
    expect(updated.program.version).toBe(`trunk at ${three.slice(0, 12)}`);
    expect(await say(updated)).toBe("three");
    const requests = server.requests();
    expect((await place.sources.find(wantGit(url, "trunk", "branch"))).kind).toBe("current");
    expect(server.requests()).toBe(requests);
  });

  it("are not built again when nothing is newer", async () => {
    const repository = createGitRepository();
    const commit = repository.commit(makeFiles("one"));
    const place = createPlace();
    await place.install(wantGit(repository.path));
    const said = place.lines.filter((line) => line.startsWith("$")).length;
    expect(await place.install(wantGit(repository.path), true)).toMatchObject({
      commit,
      before: commit,
    });
    expect(place.lines.filter((line) => line.startsWith("$"))).toHaveLength(said);
  });

  it("are refused when what was built was changed, and come back when they are built anew", async () => {
    const repository = createGitRepository();
    repository.commit(makeFiles("one"));
    const place = createPlace();
    const wanted = wantGit(repository.path);
    const { program } = await place.install(wanted);
    appendFileSync(program.command[0] ?? "", "echo evil >&2\n");
    const error = await failure(place.sources.find(wanted));
    expect(error.code).toBe("SOURCE_CHANGED");
    expect(error.message).toContain("opentalon plugin update tiny");
    await place.install(wanted, true);
    expect(await say(await place.sources.find(wanted))).toBe("one");
  });

  it("stay as they were when the next build fails, whose last lines are told", async () => {
    const repository = createGitRepository();
    const one = repository.commit(makeFiles("one"));
    const place = createPlace();
    await place.install(wantGit(repository.path));
    const lock = readFileSync(join(place.dataDir, "plugins.lock"), "utf8");
    repository.commit({
      Makefile:
        "build:\n\tfor n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do echo line $$n; done; exit 3\n",
    });
    const error = await failure(place.install(wantGit(repository.path), true));
    expect(error).toMatchObject({ code: "SOURCE_BUILD_FAILED" });
    expect(error.lastLines.length).toBeLessThanOrEqual(20);
    expect(error.lastLines.join("\n")).toContain("line 23");
    expect(readFileSync(join(place.dataDir, "plugins.lock"), "utf8")).toBe(lock);
    const found = await place.sources.find(wantGit(repository.path));
    expect(found).toMatchObject({ kind: "current", commit: one });
    expect(readdirSync(join(place.dataDir, "plugin_builds", "tiny"))).toHaveLength(1);
    // Another ref of the same repository: the old one is there for the meantime.
    expect(await place.sources.find(wantGit(repository.path, "main"))).toMatchObject({
      kind: "earlier",
      commit: one,
    });
    const elsewhere = createGitRepository();
    expect(await place.sources.find(wantGit(elsewhere.path))).toEqual({ kind: "none" });
  });

  it("are built once more and pinned where a lock file tells no content", async () => {
    const repository = createGitRepository();
    const one = repository.commit(makeFiles("one"));
    repository.commit(makeFiles("two"));
    const place = createPlace();
    writeFileSync(
      join(place.dataDir, "plugins.lock"),
      `plugins:\n  tiny:\n    github: ${repository.path}\n    ref: main\n    resolved: ${one}\n    path: plugins/tiny/tiny-plugin\n`,
    );
    const wanted = wantGit(repository.path, "main");
    expect(await place.sources.find(wanted)).toEqual({ kind: "none" });
    expect((await place.install(wanted)).commit).toBe(one);
    expect(place.lock()["tiny"]?.["hash"]).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect((await place.sources.find(wanted)).kind).toBe("current");
  });

  it("get the list of what is to be compiled in, and are built anew for another one", async () => {
    const repository = createGitRepository();
    repository.commit({
      Makefile:
        "build:\n\tprintf '#!/bin/sh\\ncat <<END >&2\\n' > $(BINARY_NAME)\n\tcat mod.tln >> $(BINARY_NAME)\n\tprintf 'END\\n' >> $(BINARY_NAME)\n\tchmod +x $(BINARY_NAME)\n",
    });
    repository.link("mod.tln", "/etc/hostname");
    repository.commit({});
    const place = createPlace();
    const bundle = 'plugin "db" "v0.2.0" store from "github.com/o/db"\n';
    const wanted = { ...wantGit(repository.path), bundle };
    expect(await say(await place.install(wanted))).toBe(bundle.trim());
    expect((await place.sources.find(wanted)).kind).toBe("current");
    expect((await place.sources.find({ ...wanted, bundle: "" })).kind).toBe("earlier");
  });

  it("may not hold links that lead out of their folder", async () => {
    const repository = createGitRepository();
    repository.commit(makeFiles("one"));
    repository.link("up", "../../../../etc/passwd");
    repository.commit({});
    const place = createPlace();
    const error = await failure(place.install(wantGit(repository.path)));
    expect(error).toMatchObject({ code: "SOURCE_INVALID" });
    expect(error.message).toContain("leads out of its folder");
    expect(existsSync(join(place.dataDir, "plugins.lock"))).toBe(false);
  });

  it("are built with a few variables of the host, never with its secrets", async () => {
    const repository = createGitRepository();
    repository.commit({
      Makefile:
        "build:\n\tenv > seen.txt\n\tprintf '#!/bin/sh\\n' > $(BINARY_NAME)\n\tchmod +x $(BINARY_NAME)\n",
    });
    const host = {
      PATH: process.env["PATH"],
      HOME: "/nonexistent",
      GOPROXY: "https://mirror.example",
      npm_config_registry: "https://npm.example",
      "npm_config_//npm.example/:_authToken": "npm-token",
      PIP_INDEX_URL: "https://pip.example",
      CARGO_REGISTRIES_OWN_INDEX: "sparse+https://cargo.example",
      CARGO_REGISTRY_TOKEN: "cargo-token",
      HTTPS_PROXY: "http://127.0.0.1:9",
      OPENAI_API_KEY: "model-key",
      SSH_AUTH_SOCK: "/run/agent",
      AWS_SECRET_ACCESS_KEY: "aws-key",
    };
    const place = createPlace(host);
    const { program } = await place.install(wantGit(repository.path));
    const seen = readFileSync(join(program.folder ?? "", "seen.txt"), "utf8");
    for (const text of [
      "mirror.example",
      "npm.example",
      "pip.example",
      "cargo.example",
      "127.0.0.1:9",
    ])
      expect(seen).toContain(text);
    expect(seen).not.toMatch(/token|model-key|agent|aws-key/i);
    expect(seen).toContain(`HOME=${join(place.dataDir, "plugin_builds", ".home")}`);
  });

  it.skipIf(!hasTool("go"))("say which program is missing", async () => {
    const repository = createGitRepository();
    repository.commit(goFiles("one"));
    const place = createPlace({ PATH: pathWith("git") });
    const error = await failure(place.install(wantGit(repository.path)));
    expect(error).toMatchObject({ code: "SOURCE_TOOL_MISSING" });
    expect(error.message).toContain("https://go.dev/dl/");
    const strange = createGitRepository();
    strange.commit({ "README.md": "nothing", Makefile: "test:\n\ttrue\nbuild_all = 1\n" });
    expect(await failure(place.install(wantGit(strange.path)))).toMatchObject({
      code: "SOURCE_INVALID",
    });
  });

  it("end with all their processes when they are given up", async () => {
    const repository = createGitRepository();
    repository.commit({ Makefile: "build:\n\t@sh -c 'echo pid $$$$; exec sleep 600' & wait\n" });
    const place = createPlace({ PATH: pathWith(...shellTools, "sleep") });
    const giveUp = new AbortController();
    let pid = 0;
    const pending = place.sources.install(wantGit(repository.path), {
      signal: giveUp.signal,
      onLine: (line) => {
        const found = /^pid (\d+)$/.exec(line);
        if (found === null) return;
        pid = Number(found[1]);
        giveUp.abort(new Error("enough"));
      },
    });
    await expect(pending).rejects.toThrow("enough");
    await expect
      .poll(
        () => existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8"),
        { timeout: 10_000 },
      )
      .toBeFalsy();
    expect(readdirSync(join(place.dataDir, "plugin_builds", "tiny"))).toEqual([]);
    expect(existsSync(join(place.dataDir, "plugins.lock"))).toBe(false);
  });

  it("are forgotten when they are removed, and what nobody needs goes after a while", async () => {
    const repository = createGitRepository();
    repository.commit(makeFiles("one"));
    const place = createPlace();
    await place.install(wantGit(repository.path));
    await place.install(wantGit(repository.path, "", "other"));
    expect(await place.sources.remove("tiny")).toBe(true);
    expect(await place.sources.remove("tiny")).toBe(false);
    expect(Object.keys(place.lock())).toEqual(["other"]);
    expect(readdirSync(join(place.dataDir, "plugin_builds")).toSorted()).toEqual([
      ".home",
      "other",
    ]);

    repository.commit(makeFiles("two"));
    await place.install(wantGit(repository.path, "", "other"), true);
    const builds = join(place.dataDir, "plugin_builds", "other");
    await place.sources.removeUnused();
    expect(readdirSync(builds)).toHaveLength(2);
    const later = createBuiltSources({
      purpose: "plugin",
      dataDir: place.dataDir,
      buildTimeoutMs: 300_000,
      clock: { ...systemClock, now: () => Date.now() + 7_200_000 },
      host: process.env,
      log: createSilentLog(),
    });
    await later.removeUnused();
    expect(readdirSync(builds)).toHaveLength(1);
    expect((await place.sources.find(wantGit(repository.path, "", "other"))).kind).toBe("current");
  });
});

describe.skipIf(!hasGit())("channels from repositories (needs git)", () => {
  const openPlace = (host?: Environment): Place => createPlace(host, createFolder(), "channel");
  const definition = { "channel.yaml": "id: tiny\n" };

  it.skipIf(!hasTool("make"))("are programs named for channels, beside the plugins", async () => {
    const repository = createGitRepository();
    const commit = repository.commit(makeFiles("one"));
    const place = openPlace();
    const installed = await place.install(wantGit(repository.path));
    expect(installed.program.command[0]).toMatch(/\/channel_builds\/tiny\/[^/]+\/tiny-channel$/);
    expect(await say(installed)).toBe("one");
    expect(place.lines).toContain("$ make build BINARY_NAME=tiny-channel");
    expect(place.lock()["tiny"]).toMatchObject({ github: repository.path, resolved: commit });
    appendFileSync(installed.program.command[0] ?? "", "echo evil >&2\n");
    const error = await failure(place.sources.find(wantGit(repository.path)));
    expect(error.message).toContain("opentalon channel update tiny");
    expect(existsSync(join(place.dataDir, "plugins.lock"))).toBe(false);
  });

  it("are the definition that is there, for which nothing is run", async () => {
    const repository = createGitRepository();
    const files = { ...definition, Makefile: "build:\n\ttouch ran\n" };
    const commit = repository.commit(files);
    const place = openPlace({ PATH: pathWith("git") });
    const wanted = wantGit(repository.path);
    const { program } = await place.install(wanted);
    const [path = ""] = program.command;
    expect(findDefinition(program.command)).toBe(path);
    expect(readFileSync(path, "utf8")).toBe("id: tiny\n");
    expect(place.lines.filter((line) => line.startsWith("$"))).toEqual([]);
    expect(place.lock()["tiny"]).toMatchObject({ resolved: commit, command: ["./channel.yaml"] });
    const found = await place.sources.find(wanted);
    expect(found).toMatchObject({ kind: "current", program: { command: [path] } });
    appendFileSync(path, "# more\n");
    expect(await failure(place.sources.find(wanted))).toMatchObject({ code: "SOURCE_CHANGED" });
    // For a plugin it is nothing.
    const plain = createGitRepository();
    plain.commit(definition);
    expect(await failure(createPlace().install(wantGit(plain.path)))).toMatchObject({
      code: "SOURCE_INVALID",
    });
  });

  it("may not have a definition that lies elsewhere", async () => {
    const repository = createGitRepository();
    repository.link("channel.yaml", "/etc/hostname");
    repository.commit({});
    const error = await failure(openPlace().install(wantGit(repository.path)));
    expect(error).toMatchObject({ code: "SOURCE_INVALID" });
    expect(error.message).toContain("no channel.yaml");
  });

  it.skipIf(!hasTool("go"))("are programs where there is Go code", async () => {
    const repository = createGitRepository();
    repository.commit({ ...definition, ...goFiles("one") });
    const installed = await openPlace().install(wantGit(repository.path));
    expect(findDefinition(installed.program.command)).toBeUndefined();
    expect(await say(installed)).toBe("one");
  });
});

describe("plugins from a folder somebody works in", () => {
  it("are built from a copy, and anew when the sources have changed", async () => {
    const folder = createFolder();
    const write = (files: Readonly<Record<string, string>>): void => {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    };
    write(nodeFiles("one"));
    mkdirSync(join(folder, "node_modules"));
    writeFileSync(join(folder, "node_modules", "x.js"), "x");
    const wanted: WantedBuild = {
      name: "tiny",
      source: { kind: "folder", path: folder },
      bundle: "",
    };
    const place = createPlace();
    const installed = await place.install(wanted);
    expect(await say(installed)).toBe("one");
    expect(readdirSync(folder).toSorted()).toEqual(["node_modules", "package.json"]);
    expect(existsSync(join(installed.program.folder ?? "", "node_modules"))).toBe(false);
    writeFileSync(join(folder, "node_modules", "x.js"), "y");
    expect((await place.sources.find(wanted)).kind).toBe("current");
    write(nodeFiles("two"));
    expect((await place.sources.find(wanted)).kind).toBe("earlier");
    expect(await say(await place.install(wanted))).toBe("two");
  });
});
