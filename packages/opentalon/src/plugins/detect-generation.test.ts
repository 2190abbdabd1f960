import type { Server, Socket } from "node:net";
import { createServer } from "node:net";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createGenerationMemory, detectGeneration } from "./detect-generation.ts";
import type { FakePluginOptions } from "./testing/fake-plugin-options.ts";
import { launchFake } from "./testing/launch-fake.ts";

const detect = (address: string, signal = AbortSignal.timeout(10_000), patienceMs?: number) =>
  detectGeneration({
    plugin: "p",
    address: { network: "unix", address },
    clock: systemClock,
    signal,
    patienceMs,
  });

test.each<[string, FakePluginOptions, string]>([
  ["a gRPC server", { generation: "grpc" }, "grpc"],
  ["a server of the first generation", { generation: "json" }, "json"],
  ["a gRPC server that is slow to greet", { generation: "grpc", greetingDelayMs: 600 }, "grpc"],
  [
    "a server of the first generation that is slow to answer",
    { generation: "json", greetingDelayMs: 600 },
    "json",
  ],
])("%s is recognised", async (_name, options, expected) => {
  const fake = await launchFake(options);
  expect(await detect(fake.handshake.address)).toBe(expected);
  await fake.stop();
});

describe("with a server made for it", () => {
  let folder: string;
  let server: Server;
  const sockets = new Set<Socket>();
  const serve = async (greet: (socket: Socket) => void): Promise<string> => {
    const path = join(folder, "s");
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      greet(socket);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ot-test-"));
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  test("nothing is sent to a server that speaks first", async () => {
    const received: Buffer[] = [];
    const path = await serve((socket) => {
      socket.on("data", (bytes: Buffer) => received.push(bytes));
      for (const byte of Buffer.from("000006040000000000000500004000", "hex"))
        socket.write(Uint8Array.of(byte));
    });
    expect(await detect(path)).toBe("grpc");
    expect(received).toEqual([]);
  });

  test("a server that hangs up on JSON is taken for gRPC", async () => {
    const path = await serve((socket) => socket.on("data", () => socket.destroy()));
    expect(await detect(path, undefined, 10)).toBe("grpc");
  });

  test("a server that speaks something else is refused", async () => {
    const path = await serve((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await expect(detect(path)).rejects.toMatchObject({ reason: "protocol-violated" });
  });

  test("a server that never says anything is given up", async () => {
    const path = await serve(() => {});
    await expect(detect(path, AbortSignal.timeout(100), 10)).rejects.toMatchObject({
      reason: "timed-out",
    });
  });

  test("a socket that appears a little later is waited for", async () => {
    const detection = detect(join(folder, "s"));
    await systemClock.sleep(30);
    await serve((socket) => socket.write(Buffer.from("000000040000000000", "hex")));
    expect(await detection).toBe("grpc");
  });

  test("what a program speaks is remembered until it changes or fails", async () => {
    await serve(() => {});
    const program = join(folder, "program");
    writeFileSync(program, "");
    const memory = createGenerationMemory();
    expect(memory.recall(program)).toBeUndefined();
    memory.remember(program, "json");
    memory.remember(["node", program], "grpc");
    expect(memory.recall(program)).toBe("json");
    utimesSync(program, 1, 1);
    expect(memory.recall(program)).toBeUndefined();
    expect(memory.recall(["node", program])).toBeUndefined();
    memory.remember(program, "json");
    memory.forget(program);
    expect(memory.recall(program)).toBeUndefined();
  });

  test("arguments that are no paths, however long, are no trouble", () => {
    const memory = createGenerationMemory();
    const command = ["node", "x".repeat(100_000), "a\0b"];
    memory.remember(command, "grpc");
    expect(memory.recall(command)).toBe("grpc");
  });
});
