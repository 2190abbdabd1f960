import { ChannelError } from "../base/errors.ts";
import type { HttpRoute } from "../base/http-route.ts";
import type { Channel } from "../domain/channel.ts";

/** Routes that want a port of their own, at the host of the HTTP door. */
export interface PortRoutes {
  readonly port: number;
  /** Who asks for it, for messages. */
  readonly setting: string;
  readonly routes: readonly HttpRoute[];
}

/** Sorts the addresses of channels by port. */
export interface ChannelPorts {
  /** @throws ChannelError CHANNEL_MISCONFIGURED when another channel has the same address. */
  readonly add: (name: string, channel: Pick<Channel, "routes">) => void;
  readonly atDoor: () => readonly HttpRoute[];
  readonly elsewhere: () => readonly PortRoutes[];
}

export function createChannelPorts(doorPort: number): ChannelPorts {
  const owners = new Map<string, string>();
  const byPort = new Map<number, { names: Set<string>; routes: HttpRoute[] }>();

  return {
    add: (name, { routes = [] }) => {
      for (const { port = doorPort, path } of routes) {
        const owner = owners.get(`${port} ${path}`);
        if (owner === undefined) continue;
        throw new ChannelError(
          "CHANNEL_MISCONFIGURED",
          `channel ${name} wants the address ${path} at port ${port}, which channel ${owner} has; give one of them another path`,
        );
      }
      for (const route of routes) {
        const { port = doorPort, path } = route;
        owners.set(`${port} ${path}`, name);
        const place = byPort.get(port) ?? { names: new Set(), routes: [] };
        byPort.set(port, place);
        place.names.add(name);
        place.routes.push(route);
      }
    },
    atDoor: () => byPort.get(doorPort)?.routes ?? [],
    elsewhere: () =>
      [...byPort]
        .filter(([port]) => port !== doorPort)
        .map(([port, { names, routes }]) => ({
          port,
          setting: `http_webhook.port of ${[...names].map((name) => `channels.${name}`).join(", ")}`,
          routes,
        })),
  };
}
