import { describe, expect, it } from "vitest";
import { startMailBench } from "../channels/email/src/testing/mail-bench.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch } from "./support/scratch.ts";

const patient = { timeout: 60_000 };
const environment = { MAIL_PASSWORD: "pass word" };

describe("a mailbox", () => {
  it("is named by one word, and answers mails to it, over a kill in the middle each of them once", async () => {
    await using mail = await startMailBench();
    await using models = await createModelServer();
    using scratch = createScratch();
    const configPath = scratch.writeConfig(models.url, {
      channels: {
        mail: {
          enabled: true,
          plugin: "email",
          config: { ...mail.config, password: "${MAIL_PASSWORD}" },
          access: { policy: "open" },
        },
      },
    });
    let output = "";
    let said = 0;
    const write = async (): Promise<void> => {
      said += 1;
      await mail.write({ text: `mail ${said}`, messageId: `<${said}@example.com>` });
    };
    let undecided = 0;
    for (let run = 0; run < 3; run += 1) {
      await using core = startCore({ configPath, environment });
      await core.ready();
      await mail.listening();
      const before = mail.smtp.received.length;
      while (mail.smtp.received.length < before + 4) {
        if (said < (run + 1) * 12) await write();
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      core.signal("SIGKILL");
      await core.exited;
      output += core.output() + core.otherErrors() + JSON.stringify(core.log);
      undecided += countUndecided(core.log);
    }
    await using core = startCore({ configPath, environment });
    await core.ready();
    await write();
    const inReplyTo = (): readonly (string | undefined)[] =>
      mail.smtp.received.map(({ mail: answer }) => answer.inReplyTo);
    await expect.poll(inReplyTo, patient).toContain(`<${said}@example.com>`);
    await expect
      .poll(() => new Set(inReplyTo()).size + undecided + countUndecided(core.log), patient)
      .toBeGreaterThanOrEqual(said);
    const answers = mail.texts();
    expect(new Set(answers).size).toBe(answers.length);
    for (const [index, id] of inReplyTo().entries())
      expect(answers[index]).toBe(`answer: mail ${/^<(\d+)@/.exec(id ?? "")?.[1]}`);
    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
    output += core.output() + core.otherErrors() + JSON.stringify(core.log);
    expect(output).not.toContain(environment.MAIL_PASSWORD);
    expect(mail.imap.connections() + mail.smtp.connections()).toBe(0);
  });

  it("that cannot be opened says why, and keeps nobody else from running", async () => {
    await using mail = await startMailBench({ imap: { password: "another" } });
    await using models = await createModelServer();
    using scratch = createScratch();
    const configPath = scratch.writeConfig(models.url, {
      channels: {
        console: { enabled: true, plugin: "console" },
        mail: { enabled: true, plugin: "email", config: mail.config },
      },
      server: { enabled: true, addr: "127.0.0.1:0" },
    });
    await using core = startCore({ configPath });
    const door = await core.door();
    const unready = async (): Promise<string> => (await fetch(`http://${door}/readyz`)).text();
    await expect
      .poll(unready, patient)
      .toMatch(/channel mail: .*refused talon@example\.com: Invalid credentials/);
    expect(await unready()).not.toContain("pass word");
    core.write("hello\n");
    await expect.poll(core.output, patient).toContain("answer: hello");
    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
  });
});

/** Answers that were on their way to the server when the program was killed; they are told, and not sent again. */
function countUndecided(log: readonly { readonly msg: string }[]): number {
  return log.filter(({ msg }) => msg.startsWith("a reply was being sent when")).length;
}
