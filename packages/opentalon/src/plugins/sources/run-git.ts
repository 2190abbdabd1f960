import { devNull } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { SourceError } from "../../base/errors.ts";
import { toPrintableLine } from "../../base/printable.ts";
import type { Environment } from "../child-environment.ts";
import { describeEnd, startChildProcess } from "../child-process.ts";
import type { SourceAddress } from "./parse-source.ts";

export interface GitOptions {
  readonly clock: Clock;
  /** The environment of this program, of which git gets a few names. */
  readonly host: Environment;
  /** Where `fetch` puts its files; also the home folder git sees, so that it finds nobody's settings. */
  readonly folder: string;
  readonly protocol: SourceAddress["protocol"];
  readonly signal: AbortSignal;
  /** Told what git says on the way, a line at a time. */
  readonly onProgress: (line: string) => void;
}

export type GitOutcome =
  | { readonly kind: "done"; readonly output: string }
  /** The words of git that tell why. */
  | { readonly kind: "failed"; readonly problem: string };

/** Runs git with these arguments. Rejects with the reason of the signal when it aborts, and when there is no git. */
export type RunGit = (gitArguments: readonly string[]) => Promise<GitOutcome>;

const maxOutputBytes = 8_388_608;
const maxWordsLength = 4_000;
const countIntervalMs = 5_000;
/** A count that is not at its end yet: `Receiving objects:  40% (6/15)`. */
const isCount = (line: string): boolean =>
  /\d+% \(\d+\/\d+\)/.test(line) && !line.endsWith("done.");
const passedOn =
  /^(?:PATH|TMPDIR|SSL_CERT_FILE|SSL_CERT_DIR|SSH_AUTH_SOCK|(?:https?|all|no)_proxy|(?:HTTPS?|ALL|NO)_PROXY)$/;

/** Settings that win over every file: nothing that a repository or a user brings can start a program. */
const settings: readonly string[] = [
  `core.hooksPath=${devNull}`,
  "core.fsmonitor=false",
  "core.autocrlf=false",
  "core.protectNTFS=true",
  "core.protectHFS=true",
  "core.bigFileThreshold=8m",
  "credential.helper=",
  "submodule.recurse=false",
  "fetch.recurseSubmodules=false",
  "fetch.unpackLimit=1",
  "gc.auto=0",
  "maintenance.auto=false",
  "protocol.allow=never",
  "pack.threads=1",
  "advice.detachedHead=false",
];

/** Git without prompts, hooks, settings of a user, helpers and submodules, that speaks one protocol only. */
export function createGit(options: GitOptions): RunGit {
  const { clock, folder, protocol, signal, onProgress } = options;
  const environment = toGitEnvironment(options);
  const fixed = [
    ...settings,
    // For git before 2.12, and for those who look for it here.
    `protocol.${protocol}.allow=always`,
  ].flatMap((setting) => ["-c", setting]);
  return async (gitArguments) => {
    signal.throwIfAborted();
    const child = startChildProcess({
      command: ["git", ...fixed, ...gitArguments],
      workingDirectory: folder,
      environment,
      clock,
    });
    let output = "";
    let words = "";
    let isTooLong = false;
    let nextCountAtMs = clock.now() + countIntervalMs;
    const kill = (): void => void child.stop(0);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.length <= maxOutputBytes) return;
      isTooLong = true;
      output = "";
      kill();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words = (words + text).slice(-maxWordsLength);
      const line = text.split(/[\r\n]+/).findLast((part) => part.trim() !== "");
      if (line === undefined) return;
      // Git counts several times a second, for terminals that overwrite the line.
      if (isCount(line)) {
        if (clock.now() < nextCountAtMs) return;
        nextCountAtMs = clock.now() + countIntervalMs;
      }
      onProgress(toPrintableLine(line.slice(0, 200)));
    });
    signal.addEventListener("abort", kill, { once: true });
    try {
      const end = await child.ended;
      await child.outputEnded;
      signal.throwIfAborted();
      if (end.kind === "not-started")
        throw new SourceError("SOURCE_UNAVAILABLE", `git could not be started: ${end.problem}`);
      if (isTooLong)
        throw new SourceError("SOURCE_TOO_LARGE", "the repository has more names than can be read");
      if (end.kind === "exited" && end.code === 0) return { kind: "done", output };
      return { kind: "failed", problem: toProblem(words) || `git ${describeEnd(end)}` };
    } finally {
      signal.removeEventListener("abort", kill);
    }
  };
}

function toGitEnvironment({ host, folder, protocol }: GitOptions): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(host)) {
    if (value !== undefined && passedOn.test(name)) environment[name] = value;
  }
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    ...environment,
    LC_ALL: "C",
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, "none"),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_SYSTEM: devNull,
    GIT_CONFIG_GLOBAL: devNull,
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "false",
    GIT_ALLOW_PROTOCOL: protocol,
    GIT_LFS_SKIP_SMUDGE: "1",
    // Keys and known hosts of the user count, settings that could start programs do not.
    GIT_SSH_COMMAND:
      "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20 -o ForwardAgent=no",
  };
}

/** The line of git that says most, on one line. */
function toProblem(words: string): string {
  const lines = words.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  const line = lines.find((text) => /^(?:fatal|error|ssh|remote: )/.test(text)) ?? lines.at(-1);
  return toPrintableLine((line ?? "").slice(0, 300));
}
