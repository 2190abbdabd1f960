import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { devNull, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

/** A real repository of git in a temporary folder, removed after the test. */
export interface GitRepository {
  readonly path: string;
  /** Writes files, commits everything, and gives the commit. */
  readonly commit: (files: Readonly<Record<string, string>>) => string;
  readonly link: (path: string, target: string) => void;
  readonly git: (...gitArguments: readonly string[]) => string;
}

export function hasGit(): boolean {
  try {
    execFileSync("git", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "opentalon-source-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function createGitRepository(): GitRepository {
  const path = createFolder();
  const git = (...gitArguments: readonly string[]): string =>
    execFileSync(
      "git",
      ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", ...gitArguments],
      {
        cwd: path,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          PATH: process.env["PATH"],
          HOME: path,
          GIT_CONFIG_NOSYSTEM: "1",
          GIT_CONFIG_GLOBAL: devNull,
        },
      },
    ).trim();
  git("init", "--quiet", "--initial-branch=main");
  return {
    path,
    git,
    link: (name, target) => symlinkSync(target, join(path, name)),
    commit: (files) => {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(path, name)), { recursive: true });
        writeFileSync(join(path, name), text);
      }
      git("add", "--all");
      git("commit", "--quiet", "--allow-empty", "--message=more");
      return git("rev-parse", "HEAD");
    },
  };
}
