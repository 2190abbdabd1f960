import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import { expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createSecret } from "../../base/secret.ts";
import { findFreePort } from "../../base/testing/find-free-port.ts";
import type { Channel } from "../../domain/channel.ts";
import { createFakeChat } from "../testing/fake-chat.ts";
import { createRecordingHost } from "../testing/recording-host.ts";
import { createProcessChannel } from "./process-channel.ts";
import { createRemoteEndpoint, type RemoteEndpointOptions } from "./remote-endpoint.ts";

const patient = { timeout: 15_000 };
const file = (name: string): string =>
  join(import.meta.dirname, "../../plugins/testing/certificates", name);
const tls = { ca: file("authority.pem"), serverName: "plugin.test" };

/** A channel that somebody else runs, behind TLS; it answers only who says "the-token-of-the-channel". */
async function serve() {
  const chat = await createFakeChat();
  const port = await findFreePort();
  const [program = "", ...args] = chat.command({
    listen: "tcp",
    port,
    token: "the-token-of-the-channel",
  });
  const server = spawn(program, args, { stdio: "ignore" });
  const front = createServer(
    {
      cert: readFileSync(file("server.pem")),
      key: readFileSync(file("server.key.pem")),
      ALPNProtocols: ["h2"],
    },
    (socket) => {
      const inner = connect(port, "127.0.0.1");
      socket.pipe(inner).pipe(socket);
      socket.on("error", () => {}).once("close", () => inner.destroy());
      inner.on("error", () => {}).once("close", () => socket.destroy());
    },
  );
  front.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
    front.close();
    await chat[Symbol.asyncDispose]();
  });
  const url = `grpcs://127.0.0.1:${(front.address() as AddressInfo).port}`;
  return { chat, url };
}

function open(options: Omit<RemoteEndpointOptions, "name">): Channel {
  const channel = createProcessChannel({
    name: "far",
    kind: "grpc",
    config: {},
    openEndpoint: createRemoteEndpoint({ name: "far", ...options }),
    longestDelayMs: 100,
    maxMessageBytes: 2 ** 25,
    clock: systemClock,
    log: createSilentLog(),
  });
  onTestFinished(() => channel[Symbol.asyncDispose]());
  return channel;
}

it("a channel elsewhere is reached with TLS, and told its token", async () => {
  const { chat, url } = await serve();
  const channel = open({ url, tls, token: createSecret("the-token-of-the-channel") });
  const host = createRecordingHost();
  await channel.start(host);
  await vi.waitFor(() => expect(channel.findProblem?.()).toBeUndefined(), patient);
  await chat.say("from afar");
  await vi.waitFor(() => expect(host.contents()).toEqual(["from afar"]), patient);
});

it("one that is not who it should be, or does not take the token, says so and gets nothing", async () => {
  const { url } = await serve();
  const token = createSecret("the-token-of-the-channel");
  const stranger = open({ url, tls: { ...tls, serverName: "other.test" }, token });
  await stranger.start(createRecordingHost());
  await vi.waitFor(
    () => expect(stranger.findProblem?.()).toMatch(/certificate|altnames/i),
    patient,
  );
  const wrong = open({ url, tls, token: createSecret("another-token-entirely") });
  await wrong.start(createRecordingHost());
  await vi.waitFor(() => expect(wrong.findProblem?.()).toMatch(/who are you/), patient);
  expect(wrong.findProblem?.()).not.toContain("another-token-entirely");
});
