import { describe, expect, it } from "vitest";
import type { ChannelRoute } from "../domain/channel.ts";
import { createChannelPorts } from "./channel-ports.ts";

function route(path: string, port?: number): ChannelRoute {
  return {
    method: "*",
    path,
    port,
    authentication: "own",
    handle: async () => ({ status: 200, contentType: "text/plain", body: "" }),
  };
}

describe("addresses of channels", () => {
  it("stand at the door, or at ports that several channels may share", () => {
    const ports = createChannelPorts(3978);
    ports.add("a", { routes: [route("/a"), route("/b", 3978)] });
    ports.add("b", { routes: [route("/a", 4000)] });
    ports.add("c", { routes: [route("/c", 4000), route("/c", 5000)] });
    ports.add("d", {});
    expect(ports.atDoor().map(({ path }) => path)).toEqual(["/a", "/b"]);
    expect(
      ports.elsewhere().map(({ port, setting, routes }) => [port, setting, routes.length]),
    ).toEqual([
      [4000, "http_webhook.port of channels.b, channels.c", 2],
      [5000, "http_webhook.port of channels.c", 1],
    ]);
  });

  it("belong to one channel each", () => {
    const ports = createChannelPorts(3978);
    ports.add("a", { routes: [route("/a")] });
    expect(() => ports.add("b", { routes: [route("/a", 3978)] })).toThrow(
      /channel b wants the address \/a at port 3978, which channel a has/,
    );
    expect(ports.atDoor().length).toBe(1);
  });
});
