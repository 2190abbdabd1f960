/**
 * A plugin that keeps every rule but those it is told to break, for the tests of the rules:
 *
 *     node --conditions=@opentalon/source rule-breaker.ts KIND[:WIRE] [RULE,RULE…]
 *
 * KIND is `tool`, `provider` or `channel`; WIRE is `json` for a tool plugin of the first wire generation.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { channelHandlers } from "./rule-breaking-channel.ts";
import { serveJson } from "./rule-breaking-json.ts";
import { providerHandlers } from "./rule-breaking-provider.ts";
import { toolHandlers } from "./rule-breaking-tool.ts";

const [, , what = "tool", rules = ""] = process.argv;
const [kind = "tool", wire = "grpc"] = what.split(":");
const broken = rules.split(",");
const breaks = (name: string): boolean => broken.includes(name);

if (breaks("listens")) {
  console.error("cannot find my settings");
  process.exit(1);
}
if (breaks("small-environment") && process.env["RULE_BREAKER_NEEDS"] === undefined) process.exit(1);

const given = process.env["OPENTALON_CHANNEL_SOCK_DIR"] ?? "";
const isStarted = kind === "channel" && given !== "";
const parent = breaks("socket-in-tmpdir") ? dirname(tmpdir()) : tmpdir();
const folder = isStarted ? given : mkdtempSync(join(parent, "opentalon-plugin-"));
const path = join(folder, kind === "channel" ? "channel.sock" : "plugin.sock");

const listen = createListener();
const open = new Set<Socket>();
let connections = 0;
const server = createServer((socket) => {
  socket.on("error", () => {});
  open.add(socket);
  connections += 1;
  socket.on("close", () => open.delete(socket));
  if (breaks("speaks")) return void socket.end("220 mail.example ESMTP\r\n");
  // The host of the test has a connection of its own beside those it tries.
  if (breaks("several-connections") && open.size > 3) return void socket.destroy();
  if (breaks("reconnect") && connections === 8) return void socket.resume();
  if (breaks("nonsense-client")) {
    socket.once("data", (bytes: Buffer) => {
      if (bytes.toString().startsWith("GET ")) process.exit(9);
      socket.pause();
      socket.unshift(bytes);
      listen(socket);
    });
    return;
  }
  listen(socket);
});

function createListener(): (socket: Socket) => void {
  if (wire === "json") return (socket) => serveJson(socket, breaks);
  const grpcServer = new grpc.Server({
    "grpc.max_receive_message_length": breaks("long-argument") ? 2 ** 20 : 2 ** 25,
  });
  const { methods, handlers } =
    kind === "tool"
      ? toolHandlers(breaks)
      : kind === "provider"
        ? providerHandlers(breaks)
        : channelHandlers(breaks);
  grpcServer.addService(methods, handlers);
  const injector = grpcServer.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  return (socket) => injector.injectConnection(socket);
}

if (breaks("leaves-no-process")) {
  const script = "process.on('SIGINT', () => {}); setInterval(() => {}, 1_000)";
  spawn(process.execPath, ["-e", script], { stdio: "ignore" });
}

const parentPid = process.ppid;
setInterval(() => {
  if (process.ppid !== parentPid && !breaks("ends-with-its-host")) process.exit(0);
}, 50);
process.on("SIGINT", () => {
  if (breaks("stops-on-sigint")) return;
  if (!breaks("leaves-no-files")) rmSync(isStarted ? path : folder, { recursive: true });
  process.exit(breaks("exit-code") || breaks("ends-well") ? 3 : 0);
});

if (breaks("first-line")) console.log("Welcome!");
server.listen(path, () => {
  if (kind === "channel") {
    if (!isStarted) console.log(breaks("stands-alone") ? "listening" : `fake|unix|${path}`);
  } else console.log(`1|unix|${path}`);
  if (breaks("quiet-stdout")) console.log("ready");
  if (breaks("quiet-stderr")) console.error("x".repeat(2 ** 21));
});
