import { join } from "node:path";
import { onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { parseConfig } from "../../config/load-config.ts";
import type { Turn } from "../../domain/turn.ts";
import { toFakePluginCommand } from "../../plugins/testing/fake-plugin-command.ts";
import type { FakePluginOptions } from "../../plugins/testing/fake-plugin-options.ts";
import { assembleTools, type AssembleToolsOptions, type Tools } from "../assemble-tools.ts";

export interface FakeEntry extends FakePluginOptions {
  /** Settings of the entry, beside its command. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface StartToolsOptions {
  /** Holds the state. */
  readonly folder: string;
  /** By key, as a configuration file names them. */
  readonly fakes: Readonly<Record<string, FakeEntry>>;
  /** More of the configuration. */
  readonly more?: Readonly<Record<string, unknown>>;
  /** Settings of all plugins. */
  readonly ofAll?: Readonly<Record<string, unknown>>;
  readonly parts?: Partial<AssembleToolsOptions>;
}

/** Tools of fake plugins; ended after the test. */
export async function startTools(options: StartToolsOptions): Promise<Tools> {
  const { folder, fakes, more = {}, ofAll = {}, parts = {} } = options;
  const plugins = Object.entries(fakes).map(([key, { settings, ...fake }]) => [
    key,
    { enabled: true, plugin: toFakePluginCommand(fake), ...settings },
  ]);
  const text = JSON.stringify({
    plugins: { ...(Object.fromEntries(plugins) as object), tools: ofAll },
    state: { data_dir: folder },
    ...more,
  });
  const { config } = parseConfig({ text, path: join(folder, "config.yaml"), environment: {} });
  const tools = assembleTools({
    config,
    environment: process.env,
    bundledPlugins: folder,
    clock: systemClock,
    log: createSilentLog(),
    ...parts,
  });
  onTestFinished(() => tools[Symbol.asyncDispose]());
  await tools.start();
  return tools;
}

/** Ann says hi in a room. */
export const exampleTurn: Turn = {
  id: "t",
  sessionKey: "console:room",
  attempt: 1,
  message: {
    channel: "console",
    channelKind: "console",
    platformMessageId: "1",
    conversationId: "room",
    threadId: "",
    senderId: "ann",
    senderName: "Ann",
    content: "hi",
    files: [],
    metadata: {},
    sentAtMs: 0,
  },
};
