import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { RequestTemplate } from "./definition.ts";
import type { SessionValues } from "./session-values.ts";
import { renderText, type Scope } from "./template.ts";

/** Makes the calls of hooks one after another, while messages go on. */
export interface BackgroundCalls {
  readonly add: (hooks: readonly RequestTemplate[], scope: Scope) => void;
  readonly idle: () => Promise<void>;
}

/** What waits beyond that is left out: hooks decorate, no message depends on them. */
const maxWaiting = 200;

export function createBackgroundCalls(values: SessionValues, log: Log): BackgroundCalls {
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();

  const run = async (hooks: readonly RequestTemplate[], scope: Scope): Promise<void> => {
    for (const hook of hooks) {
      const isWanted =
        hook.when === undefined ||
        renderText(hook.when, { ...values.scope, ...scope }).trim() !== "";
      if (!isWanted) continue;
      try {
        await values.call(hook, scope);
      } catch (error) {
        log.warn({ hook: hook.place, problem: toMessage(error) }, "a hook of a channel failed");
      }
    }
  };

  return {
    add: (hooks, scope) => {
      if (hooks.length === 0) return;
      if (waiting >= maxWaiting) {
        log.warn("hooks of a channel are too slow; some are left out");
        return;
      }
      waiting += 1;
      last = last
        .then(() => run(hooks, scope))
        .finally(() => {
          waiting -= 1;
        });
    },
    idle: () => last,
  };
}
