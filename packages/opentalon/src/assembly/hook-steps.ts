import type { Config } from "../config/load-config.ts";
import type { Preparer } from "../hooks/run-preparers.ts";
import type { Transcriber } from "../hooks/transcribe-audio.ts";

/** The configured steps for messages of one channel, each kind in the order in which it runs. */
export interface HookSteps {
  /** Turn sounds into text, before all others. */
  readonly transcribers: readonly Transcriber[];
  readonly preparers: readonly Preparer[];
  /** Before every call of the model. */
  readonly guards: readonly Preparer[];
}

export interface AllHookSteps {
  /** Those of the channel, then those of the orchestrator. */
  readonly of: (channel: string) => HookSteps;
  /** Whether any channel has steps before the turn. */
  readonly hasPreparers: boolean;
}

/** `isTrusted`: whether the plugin that runs under this name may have actions run. */
export function toHookSteps(
  { orchestrator, channels }: Config,
  isTrusted: (plugin: string) => boolean,
): AllHookSteps {
  const common = orchestrator.contentPreparers;
  const ofAll = toSteps(common, isTrusted);
  const ofChannels = new Map(
    Object.entries(channels)
      .filter(([, { contentPreparers }]) => contentPreparers.length > 0)
      .map(([name, channel]) => [
        name,
        toSteps([...channel.contentPreparers, ...common], isTrusted),
      ]),
  );
  return {
    of: (channel) => ofChannels.get(channel) ?? ofAll,
    hasPreparers: [ofAll, ...ofChannels.values()].some(
      ({ preparers, transcribers }) => preparers.length + transcribers.length > 0,
    ),
  };
}

type ConfiguredPreparer = Config["orchestrator"]["contentPreparers"][number];

function toSteps(
  entries: readonly ConfiguredPreparer[],
  isTrusted: (plugin: string) => boolean,
): HookSteps {
  const texts = entries.filter(({ stt }) => !stt);
  return {
    transcribers: entries.filter(({ stt }) => stt),
    preparers: texts
      .filter(({ guard }) => !guard)
      .map((entry) => toPreparer(entry, () => isTrusted(entry.plugin))),
    // What they look at is often no message of the person, so they start nothing on a person's behalf.
    guards: texts.filter(({ guard }) => guard).map((entry) => toPreparer(entry, () => false)),
  };
}

function toPreparer(
  { plugin, action, argKey, failOpen }: ConfiguredPreparer,
  isTrusted: () => boolean,
): Preparer {
  return { plugin, action, argumentName: argKey, failOpen, isTrusted };
}
