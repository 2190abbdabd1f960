import type { HttpRoute } from "../base/http-route.ts";
import type { Tools } from "./assemble-tools.ts";
import { toPluginRoutes } from "./plugin-control.ts";
import { toToolRoutes } from "./tool-routes.ts";

/** What the operator of this machine may ask a process that holds plugins. */
export function toControlRoutes({
  plugins,
  desk,
}: Pick<Tools, "plugins" | "desk">): readonly HttpRoute[] {
  return [...toPluginRoutes(plugins), ...toToolRoutes(desk)];
}
