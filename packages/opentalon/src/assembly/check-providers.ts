import { systemClock } from "../base/clock.ts";
import { ConfigError } from "../base/errors.ts";
import type { Config } from "../config/load-config.ts";
import { createProviders } from "../providers/create-providers.ts";
import { toProviderOptions } from "./configured-providers.ts";

/**
 * What keeps providers of models from being used at all, in words for the operator: the problems that a start would end
 * with. Connects to nothing.
 */
export async function findProviderProblems(config: Config): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const [name, provider] of Object.entries(config.models.providers)) {
    // Nothing to join a program with before it runs.
    if (provider.unconfigured !== undefined || provider.plugin !== "") continue;
    try {
      const options = toProviderOptions(name, provider, config);
      await createProviders({ providers: [options], clock: systemClock })[Symbol.asyncDispose]();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(error.message);
    }
  }
  return problems;
}
