import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { connectPatiently, connectSocket } from "./plugin-address.ts";

it("waits for its turn at a socket that more callers want than it lets queue", async () => {
  const directory = mkdtempSync(join(tmpdir(), "opentalon-address-"));
  const address = { network: "unix", address: join(directory, "s") } as const;
  const server = createServer();
  server.listen({ path: address.address, backlog: 1 });
  await once(server, "listening");
  try {
    // All of one tick: the server of the same process takes none of them in between.
    const attempts = Array.from({ length: 12 }, () => connectSocket(address));
    const codes = (await Promise.allSettled(attempts)).map((attempt) => {
      if (attempt.status === "rejected") return (attempt.reason as NodeJS.ErrnoException).code;
      attempt.value.destroy();
      return "connected";
    });
    expect(codes).toContain("EAGAIN");
    const signal = AbortSignal.timeout(20_000);
    const sockets = await Promise.all(
      Array.from({ length: 12 }, () => connectPatiently("p", address, systemClock, signal)),
    );
    for (const socket of sockets) socket.destroy();
    expect(sockets).toHaveLength(12);
  } finally {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
