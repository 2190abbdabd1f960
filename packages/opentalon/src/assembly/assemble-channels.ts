import type { Clock } from "../base/clock.ts";
import { ConfigError, toMessage } from "../base/errors.ts";
import type { HttpRoute } from "../base/http-route.ts";
import type { Log } from "../base/log.ts";
import { createChannel } from "../channels/create-channel.ts";
import type { ConsoleTerminal } from "../channels/console/console-channel.ts";
import { createWebhookInlet } from "../channels/webhook-inlet.ts";
import { type Config, revealBlock } from "../config/load-config.ts";
import { type AcceptOutcome, type Channel, type ChannelCapabilities, plainCapabilities } from "../domain/channel.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { Turn, TurnEvent } from "../domain/turn.ts";
import { type SendOutcome, toSendOutcome } from "../orchestrator/delivery.ts";
import type { OutboundMessage } from "../domain/message.ts";

export interface Channels extends AsyncDisposable {
  readonly routes: readonly HttpRoute[];
  /** Channels that are configured and do not run, by name. */
  readonly findUnready: () => readonly string[];
  readonly capabilitiesOf: (channel: string) => ChannelCapabilities;
  readonly start: (accept: (message: InboundMessage) => Promise<AcceptOutcome>) => Promise<void>;
  readonly stopIntake: () => Promise<void>;
  readonly send: (message: OutboundMessage, deliveryId: string) => Promise<SendOutcome>;
  readonly show: (turn: Turn, event: TurnEvent) => void;
  /** Resolves when a terminal ended that is the only channel, or that a person sits at. */
  readonly finished: Promise<void>;
}
