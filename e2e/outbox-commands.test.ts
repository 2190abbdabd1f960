import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { type FinishedRun, runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, webhookChannel } from "./support/scratch.ts";

const patient = { timeout: 30_000 };

/** A platform that takes messages, or hangs up in the middle so that nobody knows whether it did. */
async function createMoodyPlatform() {
  const arrived: string[] = [];
  let isMoody = true;
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      if (isMoody) return void request.socket.destroy();
      arrived.push((JSON.parse(text) as { content: string }).content);
      response.writeHead(200, { "content-length": "0" }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/out`,
    arrived,
    setMoody: (mood: boolean) => {
      isMoody = mood;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

it("replies that may not have arrived are listed, sent again or given up, with and without a running program", async () => {
  using scratch = createScratch();
  await using platform = await createMoodyPlatform();
  await using models = await createModelServer();
  const configPath = scratch.writeConfig(models.url, webhookChannel(platform.url));
  const outbox = (...words: readonly string[]): Promise<FinishedRun> =>
    runOpenTalon({
      arguments: ["--config", configPath, "outbox", ...words],
      folder: scratch.folder,
    });
  const list = async (...words: readonly string[]) => {
    const { stdout } = await outbox("list", "--json", ...words);
    return JSON.parse(stdout) as {
      running: boolean;
      deliveries: { id: string; state: string; in_reply_to: string; text?: string }[];
    };
  };
  {
    await using core = startCore({ configPath });
    const door = await core.door();
    for (const id of ["1", "2", "3"]) {
      const body = { id, conversation_id: `room ${id}`, sender_id: "ann", content: `secret ${id}` };
      const answer = await fetch(`http://${door}/api/channels/web/inbound`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      expect(answer.status).toBe(202);
    }
    await expect
      .poll(async () => (await list("--state", "failed")).deliveries.length, patient)
      .toBe(3);
    const { running, deliveries } = await list();
    expect(running).toBe(true);
    const idOf = (message: string): string =>
      deliveries.find(({ in_reply_to: to }) => to === message)?.id ?? "";
    expect(JSON.stringify(deliveries)).not.toContain("secret");
    const table = await outbox("list");
    expect(table.stdout).toContain(idOf("1"));
    expect(table.stdout).not.toContain("secret");
    expect((await list("--text")).deliveries[0]?.text).toMatch(/^answer: secret/);

    platform.setMoody(false);
    expect((await outbox("resend", idOf("1"))).stdout).toBe(`${idOf("1")} is being sent again\n`);
    await expect.poll(() => platform.arrived, patient).toEqual(["answer: secret 1"]);
    expect((await outbox("drop", idOf("2"))).code).toBe(0);
    const gone = await outbox("resend", idOf("2"));
    expect(gone.code).toBe(1);
    expect(gone.stderr).toContain("there is no reply");
    expect((await outbox("list", "--state", "lost")).stderr).toContain('no state "lost"');
    core.signal("SIGTERM");
    await core.exited;
  }
  const { running, deliveries } = await list();
  expect([running, deliveries.length, deliveries[0]?.state]).toEqual([false, 1, "failed"]);
  const id = deliveries[0]?.id ?? "";
  expect((await outbox("resend", id)).stdout).toBe(
    `${id} goes out with the next start of OpenTalon\n`,
  );
  await using core = startCore({ configPath });
  await core.ready();
  await expect
    .poll(() => platform.arrived, patient)
    .toEqual(["answer: secret 1", "answer: secret 3"]);
  expect((await list()).deliveries).toEqual([]);
});
