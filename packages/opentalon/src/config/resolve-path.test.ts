import { expect, test } from "vitest";
import { resolvePath } from "./resolve-path.ts";

const places = {
  directory: "/etc/opentalon",
  workingDirectory: "/srv/start",
  homeDirectory: "/home/ada",
  exists: (path: string) =>
    path === "/etc/opentalon/plugins/echo" ||
    path === "/etc/opentalon/echo" ||
    path === "/srv/start/plugins/below",
};

test.each([
  ["program", "./plugins/echo", "/etc/opentalon/plugins/echo"],
  ["program", "./plugins/below", "/srv/start/plugins/below"],
  ["program", "./plugins/other", "/etc/opentalon/plugins/other"],
  ["program", "/opt/echo", "/opt/echo"],
  ["program", "~/echo", "/home/ada/echo"],
  ["program", "echo", "/etc/opentalon/echo"],
  ["program", "node", "node"],
  ["program", "grpc://host:9000", "grpc://host:9000"],
  ["channel", "console", "console"],
  ["channel", "echo", "echo"],
  ["channel", "slack.yaml", "/srv/start/slack.yaml"],
  ["channel", "WSS://host/path", "WSS://host/path"],
  ["file", "scripts", "/srv/start/scripts"],
  ["data", "kept", "/etc/opentalon/kept"],
  ["data", "~", "/home/ada"],
  ["no", "./plugins/echo", "./plugins/echo"],
] as const)("%s path %s leads to %s", (kind, path, resolved) => {
  expect(resolvePath(path, kind, places)).toBe(resolved);
});
