import type { Clock } from "../../base/clock.ts";
import { untilAborted } from "../../base/deadline.ts";
import { AuthError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Secret } from "../../base/secret.ts";
import type { OAuthClient } from "./oauth-client.ts";
import { toStoredToken } from "./stored-token.ts";
import type { StoredToken } from "./stored-token.ts";
import type { TokenFile } from "./token-file.ts";

export type TokenState =
  | {
      readonly kind: "signed-in";
      readonly token: StoredToken;
      /** Whether the token is over and has to be refreshed before its next use. */
      readonly isOver: boolean;
    }
  /** Somebody has to sign in; `why` says it to people, with the command to run. */
  | { readonly kind: "sign-in-needed"; readonly why: string };

/** The OAuth credential of one provider, refreshed before it expires. */
export interface TokenSource {
  /** Notices within a second when the command line signed somebody in or out. */
  readonly state: () => TokenState;
  /**
   * A token that is good for a while. Calls that come together share one refresh, which the end of one of them does not
   * cancel.
   * @throws AuthError, or the reason of `signal`.
   */
  readonly take: (signal: AbortSignal) => Promise<Secret>;
  /** Another token than the one the provider refused; `undefined` when there is none. Rejects only as `signal` aborts. */
  readonly replace: (refused: Secret, signal: AbortSignal) => Promise<Secret | undefined>;
}

export interface TokenSourceOptions {
  /** Of the provider. */
  readonly name: string;
  /** A stored token made for another address is not used. */
  readonly address: string;
  readonly client: OAuthClient;
  readonly file: TokenFile;
  readonly clock: Clock;
  readonly log: Log;
}

const longestMarginMs = 300_000;
/** A refresh that found nobody, or a token that could not be written, is not tried again sooner. */
const refreshPauseMs = 30_000;

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { name, address, client, file, clock, log } = options;
  const command = `opentalon auth login ${name}`;
  const never = new AbortController().signal;
  let refreshing: Promise<StoredToken> | undefined;
  let refreshAgainAtMs = Number.NEGATIVE_INFINITY;
  /** A refreshed token that could not be written: it replaces the one in the file, whose refresh token is used up. */
  let unwritten: { readonly replaces: string; readonly token: StoredToken } | undefined;
  let writeAgainAtMs = Number.NEGATIVE_INFINITY;
  let writing: Promise<void> = Promise.resolve();

  const toCurrent = (stored: StoredToken | undefined): StoredToken | undefined =>
    stored !== undefined && unwritten?.replaces === stored.accessToken.reveal()
      ? unwritten.token
      : stored;

  const isOver = ({ expiresAtMs }: StoredToken): boolean =>
    expiresAtMs !== undefined && expiresAtMs <= clock.now();

  const findProblem = (token: StoredToken | undefined): string | undefined => {
    if (token === undefined) return "nobody is signed in";
    if (token.address !== address) return "its settings changed since somebody signed in";
    if (token.refusal !== "") return `the sign-in is over (${token.refusal})`;
    if (isOver(token) && token.refreshToken === undefined) return "the sign-in has expired";
    return undefined;
  };

  const toState = (token: StoredToken | undefined): TokenState => {
    const problem = findProblem(token);
    if (token !== undefined && problem === undefined)
      return { kind: "signed-in", token, isOver: isOver(token) };
    return { kind: "sign-in-needed", why: `${problem ?? ""}; run \`${command}\`` };
  };

  const demand = (token: StoredToken | undefined): StoredToken => {
    const state = toState(token);
    if (state.kind === "signed-in") return state.token;
    throw new AuthError("AUTH_EXPIRED", `provider ${name}: ${state.why}`);
  };

  const isDue = ({ obtainedAtMs, expiresAtMs, refreshToken }: StoredToken): boolean => {
    if (expiresAtMs === undefined || refreshToken === undefined) return false;
    const marginMs = Math.min(longestMarginMs, (expiresAtMs - obtainedAtMs) / 5);
    return clock.now() >= expiresAtMs - marginMs;
  };

  const isSame = (one: StoredToken | undefined, other: StoredToken): boolean =>
    one?.accessToken.reveal() === other.accessToken.reveal();

  /** Takes the token out of use until somebody signs in, unless somebody just did. */
  const refuse = async (refused: StoredToken, refusal: string): Promise<void> => {
    log.error({ provider: name }, `provider ${name}: the sign-in is over; run \`${command}\``);
    const stored = unwritten?.token === refused ? unwritten.replaces : refused.accessToken.reveal();
    await file
      .update(name, (current) =>
        current?.accessToken.reveal() === stored ? { ...current, refusal } : current,
      )
      .catch((error: unknown) => {
        unwritten = { replaces: stored, token: { ...refused, refusal } };
        log.error({ provider: name, err: error }, "the end of a sign-in could not be written down");
      });
  };

  const save = async (old: StoredToken, next: StoredToken): Promise<StoredToken> => {
    const stored = unwritten?.token === old ? unwritten.replaces : old.accessToken.reveal();
    try {
      // A sign-in or sign-out that happened meanwhile counts more than this refresh.
      const kept = await file.update(name, (current) =>
        current?.accessToken.reveal() === stored ? next : current,
      );
      unwritten = undefined;
      return demand(kept);
    } catch (error) {
      if (error instanceof AuthError && error.code !== "AUTH_TOKENS_UNUSABLE") throw error;
      unwritten = { replaces: stored, token: next };
      writeAgainAtMs = clock.now() + refreshPauseMs;
      log.error(
        { provider: name, err: error },
        "a refreshed OAuth token could not be written down; a restart may need a new sign-in",
      );
      return next;
    }
  };

  /** Tries now and then, in the background, so that a restart finds what could not be written at first. */
  const writeAgain = (): void => {
    const late = unwritten;
    if (late === undefined || refreshing !== undefined || clock.now() < writeAgainAtMs) return;
    writeAgainAtMs = clock.now() + refreshPauseMs;
    const written = file.update(name, (current) =>
      current?.accessToken.reveal() === late.replaces ? late.token : current,
    );
    writing = written.then(
      () => void (unwritten = unwritten === late ? undefined : unwritten),
      () => undefined,
    );
  };

  const refresh = async (old: StoredToken): Promise<StoredToken> => {
    await writing;
    // Another process may have refreshed it, or somebody signed in again.
    const current = demand(toCurrent(file.readNow(name)));
    if (!isSame(current, old) && !isDue(current)) return current;
    if (current.refreshToken === undefined) return current;
    try {
      const grant = await client.refresh(current.refreshToken.reveal(), never);
      log.info({ provider: name }, "an OAuth token was refreshed");
      return await save(current, toStoredToken(grant, address, clock.now(), current));
    } catch (error) {
      if (!(error instanceof AuthError) || error.code !== "AUTH_EXPIRED") throw error;
      const other = toCurrent(file.readNow(name));
      if (other !== undefined && !isSame(other, current)) return demand(other);
      await refuse(current, "refused");
      throw new AuthError("AUTH_EXPIRED", `${error.message}; run \`${command}\``);
    }
  };

  const refreshOnce = (old: StoredToken): Promise<StoredToken> => {
    refreshing ??= refresh(old).finally(() => (refreshing = undefined));
    return refreshing;
  };

  return {
    state: () => toState(toCurrent(file.read(name))),
    take: async (signal) => {
      writeAgain();
      const token = demand(toCurrent(file.read(name)));
      const isPausing = clock.now() < refreshAgainAtMs && !isOver(token);
      if (!isDue(token) || isPausing) return token.accessToken;
      try {
        return (await untilAborted(signal, refreshOnce(token))).accessToken;
      } catch (error) {
        signal.throwIfAborted();
        const isPassing = error instanceof AuthError && error.code !== "AUTH_EXPIRED";
        if (!isPassing || isOver(token)) throw error;
        refreshAgainAtMs = clock.now() + refreshPauseMs;
        log.warn(
          { provider: name, why: toMessage(error) },
          "an OAuth token could not be refreshed and is used while it lasts",
        );
        return token.accessToken;
      }
    },
    replace: async (refused, signal) => {
      try {
        const token = demand(toCurrent(file.readNow(name)));
        if (token.accessToken.reveal() !== refused.reveal()) return token.accessToken;
        if (token.refreshToken === undefined) {
          await refuse(token, "refused");
          return undefined;
        }
        const next = await untilAborted(signal, refreshOnce(token));
        return isSame(next, token) ? undefined : next.accessToken;
      } catch (error) {
        signal.throwIfAborted();
        log.warn(
          { provider: name, why: toMessage(error) },
          "a refused OAuth token could not be refreshed",
        );
        return undefined;
      }
    },
  };
}
