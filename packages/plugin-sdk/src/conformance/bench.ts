import { createHash } from "node:crypto";
import type { CheckLimits, PlannedCall, PluginKind } from "./check-options.ts";
import type { OpenedPlugin } from "./open-plugin.ts";
import { openPlugin } from "./open-plugin.ts";
import { NotReached } from "./rule.ts";
import { becomes, within } from "../testing-kit/patience.ts";
import type { PluginProcess, ProcessEnd } from "../testing-kit/plugin-process.ts";

/** A connection to a plugin, whatever it is. */
export interface Connection {
  /** Asks what every plugin of the kind can answer; says what is wrong with the answer, or nothing. */
  readonly probe: (timeoutMs?: number) => Promise<string | undefined>;
  readonly close: () => void;
}

/** A plugin that listens and was introduced. */
export interface Session extends Connection {
  readonly opened: OpenedPlugin;
  readonly connect: () => Connection;
}

/** How the plugin's process ended when it was told to. */
export interface Stopping {
  readonly end: ProcessEnd;
  readonly tookMs: number;
  /** It did not end in time and was killed. */
  readonly wasKilled: boolean;
  readonly leftovers: readonly string[];
  /** Processes of its group outlived it. */
  readonly hasRelatives: boolean;
  /** Bytes written after the handshake. */
  readonly noise: { readonly stdout: number; readonly stderr: number };
}

/** What was found out at the first start. */
export interface Facts {
  readonly kind: PluginKind;
  readonly wire: "grpc" | "json";
  readonly first: Pick<OpenedPlugin, "line" | "lineNumber" | "readyMs" | "address"> & {
    readonly temporaryFolder: string;
  };
  /** Why it did not start with few variables, when it did with all of them; empty otherwise. */
  readonly environmentProblem: string;
}

export interface BenchOptions<Own extends Session> {
  readonly command: string | readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly configJson: string;
  readonly hasConfig: boolean;
  readonly calls: readonly PlannedCall[];
  readonly limits: CheckLimits;
  readonly facts: Facts;
  /** Introduces a plugin that listens. @throws NotReached */
  readonly introduce: (opened: OpenedPlugin) => Promise<Own>;
}

/** Where rules get their plugin from. All processes it ever started are ended with it. */
export interface Bench<Own extends Session = Session>
  extends Omit<BenchOptions<Own>, "introduce">, AsyncDisposable {
  /** A new process that listens, to which nobody has said anything. @throws NotReached */
  readonly open: () => Promise<OpenedPlugin>;
  /** A session most rules share; a new one when the last one's process has ended. @throws NotReached */
  readonly session: () => Promise<Own>;
  /** Waits a moment for the end of a process that something was wrong with, so that the next rule gets a new one. */
  readonly settle: () => Promise<void>;
  /** Ends the shared session's process by SIGINT, once. @throws NotReached */
  readonly stopping: () => Promise<Stopping>;
}

export function createBench<Own extends Session>(options: BenchOptions<Own>): Bench<Own> {
  const { command, env, limits, facts, introduce } = options;
  const processes: PluginProcess[] = [];
  let shared: Own | undefined;
  let failure: NotReached | undefined;
  let stopping: Promise<Stopping> | undefined;

  const open = async (): Promise<OpenedPlugin> => {
    const opening = await openPlugin({
      command,
      env,
      asChannel: facts.kind === "channel",
      wholeEnvironment: facts.environmentProblem !== "",
      expects: facts.kind === "channel" ? "socket" : "line",
      timeoutMs: limits.handshakeMs,
    });
    if (opening.kind === "failed")
      throw new NotReached(`it does not start again: it ${opening.why}`);
    processes.push(opening.opened.process);
    return opening.opened;
  };

  const session = async (): Promise<Own> => {
    if (failure !== undefined) throw failure;
    if (shared !== undefined && !shared.opened.process.hasEnded()) return shared;
    shared?.close();
    try {
      shared = await introduce(await open());
      return shared;
    } catch (error) {
      if (error instanceof NotReached) failure = error;
      throw error;
    }
  };

  /** Also of a plugin that lets itself not be introduced something can be seen at its end. */
  const findAny = async (): Promise<Pick<Session, "opened" | "close">> => {
    try {
      return await session();
    } catch (error) {
      if (!(error instanceof NotReached)) throw error;
      return { opened: await open(), close: () => {} };
    }
  };

  return {
    ...options,
    open,
    session,
    settle: async () => void (shared && (await within(300, shared.opened.process.ended))),
    stopping: () => (stopping ??= findAny().then((own) => stop(own, limits))),
    [Symbol.asyncDispose]: async () => {
      shared?.close();
      await Promise.all(processes.map((process) => process.stop(0)));
    },
  };
}

async function stop(
  { opened, close }: Pick<Session, "opened" | "close">,
  limits: CheckLimits,
): Promise<Stopping> {
  const { process, lineBytes } = opened;
  const startMs = performance.now();
  process.send("SIGINT");
  const end = await within(limits.stopMs, process.ended);
  const tookMs = performance.now() - startMs;
  const wasKilled = end === undefined;
  if (wasKilled) process.send("SIGKILL");
  const finalEnd = await process.ended;
  const hasRelatives = !(await becomes(1_000, () => !process.hasRelatives()));
  await within(200, Promise.all([process.stdout.ended, process.stderr.ended]));
  close();
  return {
    end: finalEnd,
    tookMs,
    wasKilled,
    leftovers: process.findLeftovers(),
    hasRelatives,
    noise: {
      stdout: Math.max(0, process.stdout.bytes() - lineBytes),
      stderr: process.stderr.bytes(),
    },
  };
}

/** Text of a length that no program can shorten by quoting its beginning. */
export function toLongText(bytes: number): string {
  const seed = createHash("sha256").update("opentalon").digest("hex");
  return seed.repeat(Math.ceil(bytes / seed.length)).slice(0, bytes);
}
