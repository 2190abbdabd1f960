import { budgets } from "./budget-keys.ts";
import type { Output } from "./key.ts";
import { sectionAs } from "./keys.ts";
import { lua, mergeLua } from "./lua-keys.ts";
import { auth, models, routing } from "./model-keys.ts";
import { agent, orchestrator } from "./orchestrator-keys.ts";
import { channels, plugins } from "./plugin-keys.ts";
import {
  bootstrap,
  cluster,
  eventWebhook,
  health,
  log,
  metrics,
  pluginExec,
  profiles,
  redis,
  server,
  webhook,
} from "./service-keys.ts";
import { requestPackages, scheduler } from "./skill-keys.ts";
import { state } from "./state-keys.ts";

/** The whole file: every key, its default, its meaning. The order is that of the reference page. */
export const configKey = sectionAs(
  {
    about: "",
    keys: {
      models,
      routing,
      auth,
      budgets,
      orchestrator,
      agent,
      channels,
      plugins,
      lua,
      request_packages: requestPackages,
      scheduler,
      state,
      log,
      server,
      webhook,
      metrics,
      health,
      event_webhook: eventWebhook,
      profiles,
      bootstrap,
      redis,
      cluster,
      plugin_exec: pluginExec,
    },
  },
  ({ plugins: allPlugins, lua: ownLua, ...rest }) => ({
    ...rest,
    lua: mergeLua(ownLua, allPlugins.settings.lua),
    plugins: allPlugins.entries,
    /** `plugins.tools` and `plugins.lua`: settings for all plugins, for all scripts. */
    pluginSettings: allPlugins.settings,
  }),
);

/** The configuration as the program uses it: camelCase, defaults filled in, durations in milliseconds. */
export type Config = Output<typeof configKey>;

/**
 * Keys that are accepted, so that files written for the Go program load, and that nothing reads yet.
 * A key covers all below it; `*` stands for a name, `[]` for a place in a list.
 */
export const keysWithoutEffect: readonly string[] = [
  "bootstrap",
  "cluster",
  "event_webhook",
  "health",
  "orchestrator.escalation",
  "orchestrator.knowledge",
  "orchestrator.notify",
  "orchestrator.pipeline.confirmation_classifier_enabled",
  "orchestrator.pipeline.enabled",
  "orchestrator.pipeline.max_step_retries",
  "orchestrator.pipeline.plan_timeout",
  "orchestrator.pipeline.step_timeout",
  "orchestrator.preparer",
  "orchestrator.repair",
  "orchestrator.show_tool_calls",
  "orchestrator.subprocess",
  "plugin_exec",
  "plugins.*.db_access",
  "plugins.*.grpc_port",
  "profiles",
  "redis",
  "request_packages",
  "routing.affinity.store",
  "scheduler",
  "state.debug",
  "state.session.max_messages",
  "state.session.max_idle_days",
  "state.session.summarize_after_messages",
  "state.session.max_messages_after_summary",
  "state.session.summarize_prompt",
  "state.session.summarize_update_prompt",
  "state.session.session_title_prompt",
  "state.session_events",
  "webhook",
];

/** Keys without effect that are meant to protect something: whoever sets them is warned, not only informed. */
export const protectingKeys: readonly string[] = [
  "orchestrator.pipeline.confirmation_classifier_enabled",
  "orchestrator.pipeline.enabled",
  "orchestrator.pipeline.max_step_retries",
  "orchestrator.pipeline.plan_timeout",
  "orchestrator.pipeline.step_timeout",
  "profiles",
];
