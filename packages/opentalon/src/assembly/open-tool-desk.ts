import type { Clock } from "../base/clock.ts";
import type { HttpRoute } from "../base/http-route.ts";
import type { Log } from "../base/log.ts";
import type { Config, Environment } from "../config/load-config.ts";
import type { ToolDesk } from "../domain/tool-desk.ts";
import { assembleTools } from "./assemble-tools.ts";
import { toControlRoutes } from "./control-routes.ts";
import { openStore } from "./open-store.ts";

export interface OpenToolDeskOptions {
  readonly config: Config;
  /** Of this program; plugins get only a few names of it. */
  readonly environment: Environment;
  /** Folder of the plugins that come with the program. */
  readonly bundledPlugins: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface OpenToolDesk extends ToolDesk, AsyncDisposable {
  /** For the control socket, so that others over the same state can call the same plugins. */
  readonly controlRoutes: readonly HttpRoute[];
  /** Rejects when the state was lost: another process has taken it. */
  readonly lost: Promise<never>;
}

/** How long the first look at the tools may wait for plugins that start. */
const startGraceMs = 20_000;

/**
 * The tools of the configuration, without channels and models: starts the plugins. Their folders belong to one process at
 * a time, so the state is locked meanwhile.
 * @throws StoreError STORE_LOCKED when an OpenTalon runs over the same state, ConfigError.
 */
export async function openToolDesk(options: OpenToolDeskOptions): Promise<OpenToolDesk> {
  const { config, clock, log } = options;
  await using parts = new AsyncDisposableStack();
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined);
  parts.use(await openStore({ config, clock, log, onLost: lost.reject }));
  const tools = parts.use(assembleTools(options));
  const patience = new AbortController();
  parts.defer(() => patience.abort());
  const started = Promise.race([tools.start(), clock.sleep(startGraceMs, patience.signal)]);
  const built = parts.move();
  const desk: ToolDesk = {
    ...tools.desk,
    list: async () => {
      await started;
      return tools.desk.list();
    },
    call: async (call) => {
      await started;
      return tools.desk.call(call);
    },
  };
  return {
    ...desk,
    controlRoutes: toControlRoutes({ plugins: tools.plugins, desk }),
    lost: lost.promise,
    [Symbol.asyncDispose]: () => built.disposeAsync(),
  };
}
