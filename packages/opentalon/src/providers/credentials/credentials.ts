import type { Clock } from "../../base/clock.ts";
import type { ProviderError, ProviderFailureReason } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Secret } from "../../base/secret.ts";
import type { Model } from "../../domain/model.ts";
import { toRest } from "./cooldown.ts";
import type { CooldownOptions, Rest } from "./cooldown.ts";
import { toFingerprint } from "./credential-memory.ts";
import type { CredentialMemory, CredentialRecord } from "./credential-memory.ts";
import type { TokenSource } from "../oauth/token-source.ts";

export interface CredentialWish {
  readonly model: Model;
  /** Its turns keep their credential while that is healthy, so that the service's prompt cache works. */
  readonly sessionKey: string;
  /** Positions that were tried already. */
  readonly tried: ReadonlySet<number>;
  /** Whether a credential will do that refused again after the rest the service had asked for. */
  readonly isLastResort: boolean;
}

/** One call with one credential. Exactly one of its functions is called when the call has ended. */
export interface CredentialLease {
  /** 1 for the provider's first credential, 0 for its OAuth sign-in; how the log names it. */
  readonly position: number;
  readonly kind: CredentialKind;
  /**
   * What to send; absent for servers that want none. An OAuth token that is about to expire is refreshed first.
   * @throws AuthError, or the reason of `signal`.
   */
  readonly take: (signal: AbortSignal) => Promise<Secret | undefined>;
  /** After a refusal: another value worth one more attempt; `undefined` when there is none, as for every key. */
  readonly replace: (refused: Secret, signal: AbortSignal) => Promise<Secret | undefined>;
  readonly succeed: () => void;
  /** Decides whether the credential rests, and for how long. */
  readonly fail: (error: ProviderError) => void;
  /** `take` failed: the credential rests for all models. */
  readonly failToTake: (error: ProviderError) => void;
  /** The call ended without telling anything. */
  readonly release: () => void;
}

/** Why no credential can be used for a model. */
export interface Drought {
  readonly reason: ProviderFailureReason;
  /** When the first one may be used again; `undefined` when each needs a new value. */
  readonly untilMs: number | undefined;
  /** What somebody can do about it, when that is known. */
  readonly advice?: string | undefined;
}

/** The credentials of one provider: which one is used next, and which ones rest. */
export interface CredentialPool {
  /** Takes up what an earlier process knew. Never rejects. */
  readonly restore: () => Promise<void>;
  /**
   * The one to use now; `undefined` when none may be. Prefers the session's own, then `order`, then OAuth, then the longest
   * idle.
   */
  readonly choose: (wish: CredentialWish) => CredentialLease | undefined;
  /** Whether `choose` would find one now. */
  readonly canServe: (wish: CredentialWish) => boolean;
  /** `undefined` when some credential may be used for the model now. */
  readonly findDrought: (model: Model) => Drought | undefined;
}

export interface CredentialPoolOptions {
  /** Of the provider. */
  readonly name: string;
  /** Where the credentials are sent. */
  readonly address: string;
  /** Empty for servers that want none. */
  readonly credentials: readonly Secret[];
  /** The sign-in of somebody; absent when the provider has none. */
  readonly tokens?: TokenSource | undefined;
  /** Positions in order of preference, 0 for OAuth; those left out share the last place, OAuth before keys. */
  readonly order: readonly number[];
  readonly cooldowns: CooldownOptions;
  readonly memory: CredentialMemory;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a credential is: adapters send the two in different headers. */
export type CredentialKind = "key" | "oauth";

interface Credential {
  readonly position: number;
  /** Present for OAuth, whose secret changes. */
  readonly tokens: TokenSource | undefined;
  /** The sign-in that what is known of the credential is about; empty for keys. */
  login: string;
  readonly secret: Secret | undefined;
  readonly key: string;
  isDisabled: boolean;
  lastUsedMs: number;
  readonly rests: Map<string, Rest>;
  /** Models for which a call is under way that shows whether the rest was long enough. */
  readonly trials: Set<string>;
}

const allModels = "*";
/** The name of the OAuth sign-in in `auth.order` and in the log. */
export const oauthPosition = 0;
const maxPins = 10_000;
const maxRests = 200;
/** A refusal is worth knowing after a crash, the order of use hardly. */
const writeRefusalWithinMs = 100;
const writeUseWithinMs = 60_000;

export function createCredentialPool(options: CredentialPoolOptions): CredentialPool {
  const { name, order, cooldowns, memory, clock, log } = options;
  const address = toFingerprint(options.address);
  const credentials = createCredentials(name, options.credentials, options.tokens);
  /** The one idle for longest comes first. */
  const byIdleTime = [...credentials];
  const pins = new Map<string, Credential>();

  /** Where, and for OAuth in whose name, the credential is used. */
  const toAddress = ({ login }: Credential): string =>
    login === "" ? address : toFingerprint(`${address} ${login}`);

  const note = (credential: Credential, withinMs: number): void => {
    memory.note(credential.key, () => toRecord(credential, toAddress(credential)), withinMs);
  };

  const toRank = ({ position }: Credential): number => {
    const index = order.indexOf(position);
    if (index >= 0) return index;
    return position === oauthPosition ? order.length : order.length + 1;
  };

  const pin = (sessionKey: string, credential: Credential): void => {
    pins.delete(sessionKey);
    pins.set(sessionKey, credential);
    const oldest = pins.keys().next();
    if (pins.size > maxPins && oldest.done !== true) pins.delete(oldest.value);
  };

  /** Nothing rests longer: a rest that seems to has stayed behind when the clock was set back. */
  const longestRestMs = Math.max(cooldowns.maxMs, cooldowns.billingMaxMs, 3_600_000);
  const isPlausible = ({ restsUntilMs, avoidedUntilMs }: Rest): boolean =>
    Math.max(restsUntilMs, avoidedUntilMs) <= clock.now() + longestRestMs;

  const restsOf = ({ rests }: Credential, { id }: Model): readonly Rest[] =>
    [rests.get(id), rests.get(allModels)].filter(
      (rest): rest is Rest => rest !== undefined && isPlausible(rest),
    );

  const isUsable = (credential: Credential, model: Model, isLastResort: boolean): boolean => {
    const nowMs = clock.now();
    if (credential.isDisabled || !isSignedIn(credential)) return false;
    if (!isLastResort && credential.trials.has(model.id)) return false;
    return restsOf(credential, model).every(({ restsUntilMs, avoidedUntilMs }) =>
      isLastResort ? restsUntilMs <= nowMs : avoidedUntilMs <= nowMs,
    );
  };

  const findUsable = ({ model, tried, isLastResort }: CredentialWish): Credential[] =>
    byIdleTime.filter(
      (credential) => !tried.has(credential.position) && isUsable(credential, model, isLastResort),
    );

  /** Refusals in a row; a row that nobody added to for long is over. */
  const countRefusals = ({ rests }: Credential, scope: string): number => {
    const rest = rests.get(scope);
    if (rest === undefined || clock.now() - rest.avoidedUntilMs > cooldowns.maxMs) return 0;
    return rest.refusals;
  };

  const refuse = (
    credential: Credential,
    scope: string,
    known: number,
    error: ProviderError,
  ): void => {
    const kept = credential.rests.get(scope);
    const before = kept !== undefined && isPlausible(kept) ? kept : undefined;
    const refusals = countRefusals(credential, scope);
    // Calls that were under way together and refused together are one refusal.
    const count = refusals === known ? refusals + 1 : Math.max(1, refusals);
    const rest = toRest(count, error, clock.now(), cooldowns);
    credential.rests.delete(scope);
    credential.rests.set(scope, {
      ...rest,
      restsUntilMs: Math.max(rest.restsUntilMs, before?.restsUntilMs ?? 0),
      avoidedUntilMs: Math.max(rest.avoidedUntilMs, before?.avoidedUntilMs ?? 0),
    });
    const oldest = credential.rests.keys().next();
    if (credential.rests.size > maxRests && oldest.done !== true)
      credential.rests.delete(oldest.value);
    note(credential, writeRefusalWithinMs);
    log.warn(
      {
        provider: name,
        credential: credential.position,
        model: scope,
        reason: error.reason,
        restMs: rest.restsUntilMs - clock.now(),
      },
      "a credential rests after a refusal",
    );
  };

  const fail = (
    credential: Credential,
    model: Model,
    known: Readonly<Record<"model" | "all", number>>,
    error: ProviderError,
  ): void => {
    const { reason, status, retryAfterMs } = error;
    const isWorthless = reason === "unauthorized" && status !== 403;
    if (isWorthless && credential.secret !== undefined) {
      if (credential.isDisabled) return;
      credential.isDisabled = true;
      note(credential, writeRefusalWithinMs);
      log.error(
        { provider: name, credential: credential.position, model: model.name, status },
        `provider ${name} does not accept its credential ${credential.position}: it is not used again until its value changes`,
      );
    } else if (reason === "billing" || (isWorthless && credential.tokens !== undefined))
      refuse(credential, allModels, known.all, error);
    else if (reason === "rate-limited" || reason === "unauthorized")
      refuse(credential, model.id, known.model, error);
    else if (reason === "overloaded" && retryAfterMs !== undefined)
      refuse(credential, model.id, -1, error);
  };

  const lease = (
    credential: Credential,
    { model, sessionKey }: CredentialWish,
  ): CredentialLease => {
    const known = {
      model: countRefusals(credential, model.id),
      all: countRefusals(credential, allModels),
    };
    const isTrial = known.model + known.all > 0 && !credential.trials.has(model.id);
    if (isTrial) credential.trials.add(model.id);
    credential.lastUsedMs = clock.now();
    byIdleTime.push(...byIdleTime.splice(byIdleTime.indexOf(credential), 1));
    note(credential, writeUseWithinMs);
    const release = (): void => {
      if (isTrial) credential.trials.delete(model.id);
    };
    return {
      position: credential.position,
      kind: credential.tokens === undefined ? "key" : "oauth",
      take: async (signal) => credential.tokens?.take(signal) ?? credential.secret,
      replace: async (refused, signal) => credential.tokens?.replace(refused, signal),
      succeed: () => {
        release();
        pin(sessionKey, credential);
        // An answer to a question from before the refusal says nothing about it.
        const forget = (scope: string, count: number): boolean =>
          count > 0 &&
          credential.rests.get(scope)?.refusals === count &&
          credential.rests.delete(scope);
        const forgotten = [forget(model.id, known.model), forget(allModels, known.all)];
        if (forgotten.includes(true)) note(credential, writeRefusalWithinMs);
      },
      fail: (error: ProviderError) => {
        release();
        fail(credential, model, known, error);
      },
      failToTake: (error) => {
        release();
        // A sign-in that is over needs no rest: it is not used until somebody signs in.
        if (isSignedIn(credential)) refuse(credential, allModels, known.all, error);
      },
      release,
    };
  };

  return {
    restore: async () => {
      const latestMs = clock.now() + longestRestMs;
      for (const credential of credentials) {
        const record = await memory.load(credential.key);
        isSignedIn(credential);
        if (record === undefined || record.address !== toAddress(credential)) continue;
        credential.isDisabled ||= record.isDisabled && credential.secret !== undefined;
        credential.lastUsedMs = Math.max(credential.lastUsedMs, record.lastUsedMs);
        for (const [scope, rest] of Object.entries(record.rests).slice(0, maxRests)) {
          // A clock that was set back must not make a rest longer than any can be.
          credential.rests.set(scope, {
            ...rest,
            restsUntilMs: Math.min(rest.restsUntilMs, latestMs),
            avoidedUntilMs: Math.min(rest.avoidedUntilMs, latestMs),
          });
        }
        if (credential.isDisabled) {
          log.error(
            { provider: name, credential: credential.position },
            `provider ${name} did not accept its credential ${credential.position} before: it is not used until its value changes`,
          );
        }
      }
      byIdleTime.sort((one, other) => one.lastUsedMs - other.lastUsedMs);
    },
    choose: (wish) => {
      const usable = findUsable(wish);
      const own = pins.get(wish.sessionKey);
      if (own !== undefined && usable.includes(own)) return lease(own, wish);
      const [first] = usable.sort((one, other) => toRank(one) - toRank(other));
      return first === undefined ? undefined : lease(first, wish);
    },
    canServe: (wish) => findUsable(wish).length > 0,
    findDrought: (model) => {
      const nowMs = clock.now();
      const ends = credentials
        .filter((credential) => !credential.isDisabled && isSignedIn(credential))
        .map((credential) => {
          const rests = restsOf(credential, model);
          const untilMs = Math.max(nowMs, ...rests.map(({ restsUntilMs }) => restsUntilMs));
          const reason = rests.find(({ restsUntilMs }) => restsUntilMs === untilMs)?.reason;
          return { untilMs, reason: reason ?? "rate-limited" };
        })
        .sort((one, other) => one.untilMs - other.untilMs);
      const [first] = ends;
      if (first === undefined) {
        const state = options.tokens?.state();
        const advice = state?.kind === "sign-in-needed" ? state.why : undefined;
        return { reason: "unauthorized", untilMs: undefined, advice };
      }
      return first.untilMs > nowMs ? first : undefined;
    },
  };
}

/** Whether the credential has something to send. Another sign-in than before may be that of another account. */
function isSignedIn(credential: Credential): boolean {
  const { tokens } = credential;
  if (tokens === undefined) return true;
  const state = tokens.state();
  if (state.kind === "sign-in-needed") return false;
  if (state.token.login !== credential.login) {
    credential.login = state.token.login;
    credential.rests.clear();
  }
  return true;
}

function createCredentials(
  name: string,
  secrets: readonly Secret[],
  tokens: TokenSource | undefined,
): readonly Credential[] {
  const create = (secret: Secret | undefined, index: number): Credential => ({
    position: index + 1,
    secret,
    tokens: undefined,
    login: "",
    key: `${name}/${secret === undefined ? "none" : toFingerprint(secret.reveal())}`,
    isDisabled: false,
    lastUsedMs: 0,
    rests: new Map(),
    trials: new Set(),
  });
  const signIns =
    tokens === undefined ? [] : [{ ...create(undefined, -1), tokens, key: `${name}/oauth` }];
  if (secrets.length === 0 && tokens === undefined) return [create(undefined, 0)];
  const all = [...signIns, ...secrets.map(create)];
  // The same key written twice is one key, with one limit.
  return all.filter(({ key }, index) => all.findIndex((other) => other.key === key) === index);
}

function toRecord(credential: Credential, address: string): CredentialRecord {
  const { isDisabled, lastUsedMs, rests } = credential;
  return { address, isDisabled, lastUsedMs, rests: Object.fromEntries(rests) };
}
