import type Dockerode from "dockerode";
import { toMessage } from "../../../base/errors.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Log } from "../../../base/log.ts";
import { toPrintableLine } from "../../../base/printable.ts";

export interface PullOptions {
  readonly client: Dockerode;
  readonly image: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** How often progress is logged, at most. */
const progressIntervalMs = 2_000;
/** A registry that says nothing for so long is given up. */
const silenceMs = 120_000;

/** An image by name, with the tag that is meant when none is given: without one an engine would fetch all there are. */
export function toImageName(image: string): string {
  const last = image.slice(image.lastIndexOf("/") + 1);
  return last.includes(":") || last.includes("@") ? image : `${image}:latest`;
}

/** Fetches an image, telling the log how it goes. Rejects in words for the operator. */
export async function pullImage({ client, image, clock, log, signal }: PullOptions): Promise<void> {
  log.info({ image }, "the image is not here and is pulled");
  const given = new AbortController();
  const both = AbortSignal.any([signal, given.signal]);
  let cancelTimer = (): void => {};
  const wait = (): void => {
    cancelTimer();
    cancelTimer = clock.after(silenceMs, () => given.abort(new Error("the registry fell silent")));
  };
  wait();
  try {
    const stream = await client.pull(image, { abortSignal: both });
    await follow(stream, { onEvent: wait, clock, log, signal: both, image });
    log.info({ image }, "the image is here");
  } catch (error) {
    const problem = toMessage(given.signal.aborted ? given.signal.reason : error);
    throw new Error(
      `its image ${image} cannot be pulled: ${toPrintableLine(problem.slice(0, 500))}; check its name, or pull it by hand when it needs a login`,
      { cause: error },
    );
  } finally {
    cancelTimer();
  }
}

interface Progress {
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

interface FollowOptions extends Omit<PullOptions, "client"> {
  readonly onEvent: () => void;
}

/** Reads one JSON document a line; the last word of a pull that failed is an `error`. */
async function follow(
  stream: NodeJS.ReadableStream,
  { onEvent, clock, log, signal, image }: FollowOptions,
): Promise<void> {
  const layers = new Map<string, { readonly current: number; readonly total: number }>();
  let toldAtMs = clock.now();
  const hear = (line: string): void => {
    if (line.trim() === "") return;
    const { status = "", id = "", error, progressDetail = {} } = JSON.parse(line) as Progress;
    if (error !== undefined) throw new Error(error);
    const { current = 0, total = 0 } = progressDetail;
    if (id !== "" && total > 0 && layers.size < 1_000) layers.set(id, { current, total });
    if (clock.now() - toldAtMs < progressIntervalMs) return;
    toldAtMs = clock.now();
    const sum = (part: "current" | "total"): number =>
      [...layers.values()].reduce((bytes, layer) => bytes + layer[part], 0);
    const toMb = (bytes: number): number => Math.round(bytes / 1e6);
    log.info(
      {
        image,
        status: toPrintableLine(status).slice(0, 100),
        mb: toMb(sum("current")),
        ofMb: toMb(sum("total")),
      },
      "the image is being pulled",
    );
  };
  let rest = "";
  for await (const chunk of stream) {
    signal.throwIfAborted();
    onEvent();
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > 1_048_576) throw new Error("the engine sent a line without an end");
    for (const line of lines) hear(line);
  }
  hear(rest);
}
