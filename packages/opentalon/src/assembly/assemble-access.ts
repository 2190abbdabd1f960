import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { createIdentifier } from "../base/identifier.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/load-config.ts";
import { toActor } from "../domain/actor.ts";
import type { InboundMessage } from "../domain/message.ts";
import { type AccessDecision, createCheckAccess } from "../inbound/check-access.ts";
import { createMessageRate, type MessageRate } from "../inbound/message-rate.ts";
import { type Approver, createPairing, type Pairing } from "../inbound/pairing.ts";
import type { CommandPorts } from "../inbound/run-command.ts";
import { createTell, type Tell } from "../inbound/tell-sender.ts";
import type { KeyValueStore } from "../store/ports.ts";
import type { Channels } from "./assemble-channels.ts";
import { type ChannelRules, createChannelRules, isConsole } from "./channel-rules.ts";

/** Who may talk, how much, and who decides about it. */
export interface Access {
  readonly rulesOf: (channel: string) => ChannelRules;
  readonly checkAccess: (message: InboundMessage) => Promise<AccessDecision>;
  readonly rate: MessageRate;
  readonly tell: Tell;
  /** Tells those who are approved that they may talk. */
  readonly pairing: Pairing;
  /** What the commands of a conversation need. */
  readonly commands: Required<Pick<CommandPorts, "approve" | "revoke" | "isOperator">>;
}

export interface AssembleAccessOptions {
  readonly config: Config;
  readonly keyValue: KeyValueStore;
  readonly send: Channels["send"];
  readonly clock: Clock;
  readonly log: Log;
}

export function assembleAccess(options: AssembleAccessOptions): Access {
  const { config, keyValue, send, clock, log } = options;
  const rulesOf = createChannelRules(config);
  const tell = createTell({
    send: async (message, deliveryId) => {
      const outcome = await send(message, deliveryId);
      if (outcome.kind !== "delivered") {
        const { channel } = message;
        log.warn({ channel, problem: outcome.problem }, "a notice could not be delivered");
      }
      return outcome.kind !== "not-delivered";
    },
    createId: createIdentifier,
    log,
  });
  const stored = createConfiguredPairing({ config, keyValue, clock });
  const pairing: Pairing = {
    ...stored,
    approve: async (code, by) => {
      const outcome = await stored.approve(code, by);
      if (outcome.kind === "approved" && outcome.isNew) {
        const words = "You may talk to me now. Please send your message again.";
        void tell(outcome.request, words, { action: "pairing" });
        const { channel } = outcome.request;
        log.info(
          { channel, sender: outcome.request.senderId, by: toName(by) },
          "a sender was approved",
        );
      }
      return outcome;
    },
  };
  const isOperator = ({ channel, channelKind }: InboundMessage): boolean =>
    channelKind === "console" && isConsole(config, channel);
  const toApprover = (message: InboundMessage): Approver =>
    isOperator(message) ? { kind: "operator" } : { kind: "actor", actor: toActor(message) };
  const mayApprove = (by: Approver): boolean =>
    by.kind === "operator" ||
    Object.keys(config.channels).some((name) => rulesOf(name).approvers.includes(by.actor));

  return {
    rulesOf,
    checkAccess: createCheckAccess({ rulesOf, pairing, tell, clock, log }),
    rate: createMessageRate(clock),
    tell,
    pairing,
    commands: {
      isOperator,
      approve: async (code, message) => {
        const by = toApprover(message);
        if (!mayApprove(by)) return notAnApprover;
        const outcome = await pairing.approve(code, by);
        switch (outcome.kind) {
          case "approved":
            return `${toActor(outcome.request)} may talk now.`;
          case "too-many-wrong":
            return "That were too many wrong codes. Try again in ten minutes.";
          case "unknown":
            return "There is no such code, or it is over. Codes are valid for one hour.";
        }
      },
      revoke: async (actor, message) => {
        const by = toApprover(message);
        if (!mayApprove(by)) return notAnApprover;
        const isRevoked = await pairing.revoke(actor, by);
        if (!isRevoked) return `${actor} was not approved with a code, so nothing has changed.`;
        log.info({ sender: actor, by: toName(by) }, "an approval was taken back");
        return `${actor} may not talk any more.`;
      },
    },
  };
}

const notAnApprover = "Only the operator and approvers may do that.";

function toName(by: Approver): string {
  return by.kind === "operator" ? "operator" : by.actor;
}

/** Codes and approvals over a store, with the approvers of the configuration. */
export function createConfiguredPairing({
  config,
  keyValue,
  clock,
}: Pick<AssembleAccessOptions, "config" | "keyValue" | "clock">): Pairing {
  const rulesOf = createChannelRules(config);
  return createPairing({
    keyValue,
    approversOf: (channel) => rulesOf(channel).approvers,
    random: randomBytes,
    clock,
  });
}
