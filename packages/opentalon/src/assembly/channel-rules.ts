import type { Config } from "../config/load-config.ts";
import { parseChannelAddress } from "../channels/parse-channel-address.ts";
import type { SessionScope } from "../domain/session.ts";
import type { AccessRules } from "../inbound/check-access.ts";
import type { RateLimit } from "../inbound/message-rate.ts";
import { isConsoleRepository } from "./channel-program.ts";

/** What the configuration says of those who write to a channel. */
export interface ChannelRules extends AccessRules {
  readonly rateLimit: RateLimit;
  readonly sessions: SessionScope;
}

/** What applies to senders whom nothing else keeps from writing without end. */
const guestMessages = 60;

/**
 * The rules of a channel, by its name. The peer of a webhook or WebSocket channel proves who it is and decides whom it
 * lets through; everybody else may be anybody.
 */
export function createChannelRules(config: Config): (channel: string) => ChannelRules {
  const rules = new Map(
    Object.entries(config.channels).map(([name, entry]) => [name, toRules(entry)]),
  );
  return (channel) => rules.get(channel) ?? closed;
}

/** Nobody comes in by a channel that is not configured. */
const closed: ChannelRules = {
  policy: "closed",
  allow: [],
  approvers: [],
  rateLimit: { messages: 0, perMs: 0 },
  sessions: "conversation",
};

/** These know their peer, or ask people for a token. */
const vouchedFor: ReadonlySet<string> = new Set([
  "webhook",
  "websocket",
  "websocket-inbound",
  "webchat",
]);

function toRules(entry: Config["channels"][string]): ChannelRules {
  const { access, rateLimit, sessions } = entry;
  const kind = findKind(entry);
  // The operator sits there, and what was not taken would leave a pipe waiting for its answer.
  if (kind === "console")
    return { ...closed, policy: "open", approvers: access.approvers, sessions };
  const isVouchedFor = kind !== undefined && vouchedFor.has(kind);
  return {
    policy: access.policy === "" ? (isVouchedFor ? "open" : "pairing") : access.policy,
    allow: access.allow,
    approvers: access.approvers,
    rateLimit: {
      messages: rateLimit.messages ?? (isVouchedFor ? 0 : guestMessages),
      perMs: rateLimit.perMs,
    },
    sessions,
  };
}

/** Whether the channel is the terminal of this process, whatever its messages say of themselves. */
export function isConsole(config: Config, channel: string): boolean {
  const entry = config.channels[channel];
  return entry !== undefined && findKind(entry) === "console";
}

/** `undefined` where the address is wrong: such a channel does not run. */
function findKind(entry: Config["channels"][string]): string | undefined {
  if (isConsoleRepository(entry)) return "console";
  try {
    return parseChannelAddress(entry.plugin).kind;
  } catch {
    return undefined;
  }
}
