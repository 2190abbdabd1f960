import {
  type HttpAnswer,
  type HttpRequest,
  type HttpRoute,
  toJsonAnswer,
} from "../base/http-route.ts";
import type { PluginStatus } from "../domain/plugin.ts";
import type { PluginHost } from "../plugins/plugin-host.ts";
import { maxRecentLines, type RecentLine, type RecentLines } from "../plugins/recent-lines.ts";

/** Lines a follower may lag behind before it is let go. */
const maxWaitingLines = 2_000;

/** What the control socket offers about plugins. */
export function toPluginRoutes(
  plugins: Pick<PluginHost, "statuses" | "reload" | "recentLines">,
): readonly HttpRoute[] {
  const find = ({ parameters }: HttpRequest): PluginStatus | undefined =>
    plugins.statuses().find(({ key }) => key === parameters["key"]);
  const refuse = ({ parameters }: HttpRequest): HttpAnswer => {
    const keys = plugins.statuses().map(({ key }) => key);
    const known = keys.length === 0 ? "none is configured" : `there are ${keys.join(", ")}`;
    return toJsonAnswer(404, {
      error: `no plugin "${parameters["key"] ?? ""}" runs here; ${known}`,
    });
  };
  return [
    {
      method: "GET",
      path: "/plugins",
      authentication: "door",
      handle: async () => toJsonAnswer(200, { plugins: plugins.statuses().map(toView) }),
    },
    {
      method: "GET",
      path: "/plugins/:key/logs",
      authentication: "door",
      handle: async (request) => {
        const recent = plugins.recentLines(request.parameters["key"] ?? "");
        if (recent === undefined) return refuse(request);
        const asked = Number(request.query("lines") ?? maxRecentLines);
        const lines = recent.last(Number.isSafeInteger(asked) ? asked : maxRecentLines);
        const contentType = "application/x-ndjson";
        if (request.query("follow") === "1")
          return { status: 200, contentType, body: followLines(lines, recent) };
        return { status: 200, contentType, body: lines.map(toText).join("") };
      },
    },
    {
      method: "POST",
      path: "/plugins/:key/restart",
      authentication: "door",
      handle: async (request) => {
        const outcome = await plugins.reload(request.parameters["key"] ?? "");
        if (outcome === undefined) return refuse(request);
        const status = find(request);
        const plugin = status && toView(status);
        if (outcome.kind === "reloaded") return toJsonAnswer(200, { plugin });
        const { problem, keptRunning } = outcome;
        return toJsonAnswer(409, { error: problem, kept_running: keptRunning, plugin });
      },
    },
  ];
}

function toView({ sinceMs, pid, version, ...status }: PluginStatus) {
  return {
    ...status,
    since: new Date(sinceMs).toISOString(),
    pid: pid ?? null,
    version: version ?? null,
  };
}

function toText({ atMs, from, text }: RecentLine): string {
  return `${JSON.stringify({ at: new Date(atMs).toISOString(), from, text })}\n`;
}

/** The lines that are there, then each new one, until the reader goes away or lags too far behind. */
function followLines(
  lines: readonly RecentLine[],
  recent: RecentLines,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let end = (): void => {};
  return new ReadableStream(
    {
      start: (controller) => {
        const send = (line: RecentLine): void => controller.enqueue(encoder.encode(toText(line)));
        for (const line of lines) send(line);
        end = recent.follow((line) => {
          if ((controller.desiredSize ?? 0) > 0) return send(line);
          end();
          controller.close();
        });
      },
      cancel: () => end(),
    },
    { highWaterMark: maxWaitingLines },
  );
}
