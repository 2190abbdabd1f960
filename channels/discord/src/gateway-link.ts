import {
  GatewayCloseCodes,
  type GatewayDispatchPayload,
  type GatewayIntentBits,
} from "@discordjs/core/http-only";
import type { REST } from "@discordjs/rest";
import { type SessionInfo, WebSocketManager, WebSocketShardEvents } from "@discordjs/ws";
import type { Clock } from "./clock.ts";
import { explainProblem, tokenWords } from "./explain-problem.ts";

export interface GatewayLinkOptions {
  readonly rest: REST;
  readonly token: string;
  readonly intents: readonly GatewayIntentBits[];
  /** A connection of an earlier process that can be taken up again. */
  readonly findSession: (shardId: number) => SessionInfo | undefined;
  /** Called in order; `session` is the connection as it is after this event. */
  readonly onDispatch: (payload: GatewayDispatchPayload, session: SessionInfo) => void;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** Closes the connection, so that it can be taken up again. */
  readonly signal: AbortSignal;
}

const intentWords =
  "Discord refuses to show the bot what people write. Switch on the Message Content Intent: https://discord.com/developers/applications, your application, Bot, Privileged Gateway Intents";

/** What no second try mends. */
const finalWords: Readonly<Record<number, string>> = {
  [GatewayCloseCodes.AuthenticationFailed]: tokenWords,
  [GatewayCloseCodes.DisallowedIntents]: intentWords,
  [GatewayCloseCodes.InvalidIntents]: "Discord does not know the intents: OpenTalon is too old",
  [GatewayCloseCodes.InvalidAPIVersion]:
    "Discord does not speak version 10 any more: OpenTalon is too old",
};

/** What is mended by asking Discord anew how it wants to be connected to. */
const staleWords: Readonly<Record<number, string>> = {
  [GatewayCloseCodes.ShardingRequired]: "the bot is in more servers than one connection may serve",
  [GatewayCloseCodes.InvalidShard]: "Discord wants another number of connections",
};

const longestPauseMs = 60_000;
/** A connection that held so long counts as a good one: the next is tried without a pause. */
const goodAfterMs = 60_000;
const closeGraceMs = 1_000;

/** How often the connection of a shard failed in a row. */
interface ShardState {
  failures: number;
  readyAtMs: number | undefined;
  isDown: boolean;
}

/**
 * Holds the gateway connection until `signal` aborts, and takes it up again wherever it was lost; the pauses between
 * tries grow to a minute, since Discord counts the sessions of a bot, a thousand a day.
 * @throws Error in words for the operator when Discord refuses the bot.
 */
export async function holdGateway(options: GatewayLinkOptions): Promise<void> {
  const { clock, log, signal } = options;
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      await connectOnce(options);
    } catch (error) {
      if (error instanceof GatewayError && error.isFinal) throw error;
      const { kind, words } =
        error instanceof GatewayError
          ? { kind: "passing", words: error.message }
          : explainProblem(error);
      if (kind === "unauthorized") throw new GatewayError(words, true);
      const pauseMs = toPauseMs(failures + 1);
      log(`not connected to Discord: ${words}; trying again in ${pauseMs / 1_000} s`);
      await clock.sleep(pauseMs, signal);
    }
  }
}

class GatewayError extends Error {
  /** The operator has to mend it. */
  readonly isFinal: boolean;

  constructor(message: string, isFinal: boolean) {
    super(message);
    this.isFinal = isFinal;
  }
}

async function connectOnce(options: GatewayLinkOptions): Promise<void> {
  const { rest, token, intents, findSession, onDispatch, clock, log, signal } = options;
  const sessions = new Map<number, SessionInfo | null>();
  const shards = new Map<number, ShardState>();
  const failed = Promise.withResolvers<never>();
  const over = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

  const findCurrent = (shardId: number): SessionInfo | null => {
    const known = sessions.get(shardId);
    return known === undefined ? (findSession(shardId) ?? null) : known;
  };
  const stateOf = (shardId: number): ShardState => {
    const known = shards.get(shardId) ?? { failures: 0, readyAtMs: undefined, isDown: false };
    shards.set(shardId, known);
    return known;
  };

  const manager = new WebSocketManager({
    token,
    rest,
    // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- A sum of flags is none of them.
    intents: intents.reduce<number>((sum, bit) => sum | bit, 0),
    updateSessionInfo: (shardId, session) => void sessions.set(shardId, session),
    // The library asks before each connection, and itself waits half a second at most before the next one.
    retrieveSessionInfo: (shardId) => {
      if (signal.aborted) return new Promise<never>(() => {});
      const state = stateOf(shardId);
      if (!state.isDown) return findCurrent(shardId);
      state.isDown = false;
      return clock
        .sleep(toPauseMs(state.failures), signal)
        .then(() => (signal.aborted ? new Promise<never>(() => {}) : findCurrent(shardId)));
    },
  });
  manager.on(WebSocketShardEvents.Dispatch, (payload, shardId) => {
    const session = findCurrent(shardId);
    if (session !== null) onDispatch(payload, { ...session, sequence: payload.s });
  });
  for (const event of [WebSocketShardEvents.Ready, WebSocketShardEvents.Resumed] as const) {
    manager.on(event, (...given: readonly unknown[]) => {
      stateOf(given.at(-1) as number).readyAtMs = clock.now();
    });
  }
  manager.on(WebSocketShardEvents.Closed, (code, shardId) => {
    const words = finalWords[code] ?? staleWords[code];
    if (words !== undefined)
      return failed.reject(new GatewayError(words, finalWords[code] !== undefined));
    if (signal.aborted) return;
    const state = stateOf(shardId);
    const heldMs = state.readyAtMs === undefined ? 0 : clock.now() - state.readyAtMs;
    state.failures = heldMs >= goodAfterMs ? 1 : state.failures + 1;
    state.readyAtMs = undefined;
    state.isDown = true;
    const pauseMs = toPauseMs(state.failures);
    const when = pauseMs === 0 ? "at once" : `in ${pauseMs / 1_000} s`;
    log(`the connection to Discord was closed (code ${code}); trying again ${when}`);
  });
  // Each is followed or preceded by the end of the connection, with its code.
  manager.on(WebSocketShardEvents.Error, () => {});
  manager.on(WebSocketShardEvents.SocketError, () => {});

  // After the connection this only ends by what ends the other two.
  const connecting = manager.connect().then(() => new Promise<never>(() => {}));
  try {
    await Promise.race([over, failed.promise, connecting]);
  } finally {
    // Any other code than this would end the session as well.
    const closing = async (): Promise<void> => manager.destroy({ code: 4_200 });
    const patience = new AbortController();
    await Promise.race([
      closing().catch(() => undefined),
      clock.sleep(closeGraceMs, patience.signal),
    ]);
    patience.abort();
  }
}

/** The first try after a loss comes at once. */
function toPauseMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(1_000 * 2 ** (failures - 2), longestPauseMs);
}
