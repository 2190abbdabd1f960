import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Secret } from "../../base/secret.ts";
import type { KeyValueStore } from "../../store/ports.ts";
import type { CooldownOptions } from "./cooldown.ts";
import { createCredentialMemory } from "./credential-memory.ts";
import { createCredentialPool } from "./credentials.ts";
import type { CredentialPool } from "./credentials.ts";
import type { TokenSource } from "../oauth/token-source.ts";

/** The credentials of all providers. Disposal writes what is known of them. */
export interface CredentialPools extends AsyncDisposable {
  readonly of: (provider: string) => CredentialPool | undefined;
  /** Resolves when all that an earlier process knew is taken up. */
  readonly restored: Promise<void>;
}

export interface CredentialPoolsOptions {
  readonly providers: readonly {
    readonly name: string;
    readonly baseUrl?: string | undefined;
    readonly credentials: readonly Secret[];
    readonly tokens?: TokenSource | undefined;
  }[];
  /** By provider: positions of credentials in order of preference. */
  readonly order: Readonly<Record<string, readonly number[]>>;
  readonly cooldowns: CooldownOptions;
  /** Absent: what is known is forgotten at the end. */
  readonly keyValue?: Pick<KeyValueStore, "get" | "set"> | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Makes the pools and begins to read what is known of them. */
export function createCredentialPools(options: CredentialPoolsOptions): CredentialPools {
  const { providers, order, cooldowns, keyValue, clock, log } = options;
  const memory = createCredentialMemory({ keyValue, clock, log });
  const pools = new Map(
    providers.map(({ name, baseUrl = "", credentials, tokens }) => {
      const wanted = order[name] ?? [];
      warnOfUnknown(name, wanted, credentials.length, tokens === undefined ? 1 : 0, log);
      const state = tokens?.state();
      if (state?.kind === "sign-in-needed") {
        log.warn({ provider: name }, `provider ${name} is not used with OAuth: ${state.why}`);
      }
      const shared = { cooldowns, memory, clock, log };
      const own = { name, address: baseUrl, credentials, tokens, order: wanted };
      return [name, createCredentialPool({ ...own, ...shared })];
    }),
  );
  const all = [...pools.values()].map(({ restore }) => restore());
  return {
    of: (provider) => pools.get(provider),
    restored: Promise.all(all).then(() => undefined),
    [Symbol.asyncDispose]: memory[Symbol.asyncDispose],
  };
}

function warnOfUnknown(
  name: string,
  order: readonly number[],
  count: number,
  first: 0 | 1,
  log: Log,
): void {
  const unknown = order.filter((position) => position < first || position > count);
  if (unknown.length === 0) return;
  log.warn(
    { provider: name, unknown },
    `auth.order.${name} names credentials that do not exist: the provider has ${count} and ${first === 0 ? "OAuth (0)" : "no OAuth"}`,
  );
}
