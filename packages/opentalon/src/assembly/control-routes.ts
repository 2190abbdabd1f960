import type { HttpRoute } from "../base/http-route.ts";
import type { Pairing } from "../inbound/pairing.ts";
import type { DeliveryLoop } from "../orchestrator/delivery.ts";
import type { Outbox } from "../store/ports.ts";
import type { Tools } from "./assemble-tools.ts";
import { toOutboxRoutes } from "./outbox-routes.ts";
import { toPairingRoutes } from "./pairing-routes.ts";
import { toPluginRoutes } from "./plugin-control.ts";
import { toToolRoutes } from "./tool-routes.ts";

/** What the operator of this machine may ask a process that holds plugins. */
export function toControlRoutes({
  plugins,
  desk,
}: Pick<Tools, "plugins" | "desk">): readonly HttpRoute[] {
  return [...toPluginRoutes(plugins), ...toToolRoutes(desk)];
}

/** What the operator of this machine may ask a process that talks to people. */
export function toGatewayRoutes({
  outbox,
  delivery,
  pairing,
}: {
  readonly outbox: Outbox;
  readonly delivery: Pick<DeliveryLoop, "deliver">;
  readonly pairing: Pairing;
}): readonly HttpRoute[] {
  return [...toOutboxRoutes({ outbox, deliver: delivery.deliver }), ...toPairingRoutes(pairing)];
}
