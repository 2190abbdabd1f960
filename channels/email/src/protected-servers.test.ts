import { readFile } from "node:fs/promises";
import { type AddressInfo, connect as connectPlain } from "node:net";
import { createServer as createHttpServer } from "node:http";
import { createServer as createTlsServer } from "node:tls";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { startMailBench } from "./testing/mail-bench.ts";
import { runChannel } from "./testing/run-channel.ts";

const patient = { timeout: 10_000, interval: 5 };

const certificates = new URL(
  "../../../packages/opentalon/src/plugins/testing/certificates/",
  import.meta.url,
);
const readPem = (name: string): Promise<string> => readFile(new URL(name, certificates), "utf8");

describe("servers elsewhere", () => {
  it("are spoken to by STARTTLS, before anything else is said, under a certificate that is trusted", async () => {
    const tls = { key: await readPem("server.key.pem"), cert: await readPem("server.pem") };
    await using mail = await startMailBench({ imap: { tls }, smtp: { tls } });
    const ca = await readPem("authority.pem");
    const toServer = (port: number, more: object): object => ({
      host: "localhost",
      port,
      tls: "starttls",
      ...more,
    });
    const configOf = (more: object): Readonly<Record<string, unknown>> => ({
      ...mail.config,
      imap: toServer(mail.imap.port, more),
      smtp: toServer(mail.smtp.port, more),
    });
    await using run = await runChannel({ config: configOf({ ca }) });
    await mail.listening();
    await mail.write({ text: "one" });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    await run.answer("two");
    expect(mail.texts()).toEqual(["two"]);
    expect(mail.imap.commands.indexOf("STARTTLS")).toBeLessThan(
      mail.imap.commands.indexOf("AUTHENTICATE"),
    );

    await using stranger = await runChannel({ config: configOf({}) });
    expect(String(await stranger.ended)).toContain(
      "the certificate of localhost cannot be trusted",
    );
    await expect(stranger.answer("x")).rejects.toThrow(/certificate/);
    expect(mail.imap.logins()).toBe(1);
    expect(mail.smtp.received).toHaveLength(1);
  });

  it("are told no password, where they know no STARTTLS", async () => {
    await using mail = await startMailBench();
    const config = {
      ...mail.config,
      imap: { host: "localhost", port: mail.imap.port, tls: "starttls" },
      smtp: { host: "localhost", port: mail.smtp.port, tls: "starttls" },
    };
    await using run = await runChannel({ config });
    await vi.waitFor(() => expect(run.log.join("\n")).toMatch(/STARTTLS/i), patient);
    await expect(run.answer("x")).rejects.toThrow(/STARTTLS/);
    expect(mail.imap.commands).not.toContain("AUTHENTICATE");
    expect(mail.imap.commands).not.toContain("LOGIN");
    expect(mail.smtp.attempts()).toBe(0);
  });

  it("are spoken to in TLS from the first byte, unless something else is said", async () => {
    await using mail = await startMailBench();
    const certificate = { key: await readPem("server.key.pem"), cert: await readPem("server.pem") };
    // What ends TLS in front of a server that knows none.
    const wrap = async (port: number): Promise<number> => {
      const server = createTlsServer(certificate, (outer) => {
        const inner = connectPlain(port);
        outer.pipe(inner).pipe(outer);
        outer.on("error", () => inner.destroy());
        inner.on("error", () => outer.destroy());
        inner.on("close", () => outer.destroy());
        outer.on("close", () => inner.destroy());
      });
      await new Promise<void>((resolve) => {
        server.listen(0, "127.0.0.1", resolve);
      });
      onTestFinished(() => new Promise((resolve) => void server.close(() => resolve(undefined))));
      return (server.address() as AddressInfo).port;
    };
    const ca = await readPem("authority.pem");
    const config = {
      ...mail.config,
      imap: { host: "localhost", port: await wrap(mail.imap.port), ca },
      smtp: { host: "localhost", port: await wrap(mail.smtp.port), ca },
    };
    {
      await using run = await runChannel({ config });
      await mail.listening();
      await mail.write({ text: "one" });
      await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
      await run.answer("two");
      expect(mail.texts()).toEqual(["two"]);
    }
    await vi.waitFor(() => expect(mail.smtp.connections()).toBe(0), patient);
  });
});

describe("accounts with tokens", () => {
  it("are opened with tokens that are got anew when they are refused", async () => {
    const tokens: string[] = [];
    const asked: string[] = [];
    const giver = createHttpServer((request, response) => {
      request.setEncoding("utf8").on("data", (body: string) => asked.push(body));
      request.on("end", () => {
        response.setHeader("content-type", "application/json");
        const token = `token-${asked.length}`;
        // The first one is withdrawn before it is used.
        if (asked.length > 1) tokens.push(token);
        response.end(JSON.stringify({ access_token: token, expires_in: 3600 }));
      });
    });
    await new Promise<void>((resolve) => {
      giver.listen(0, "127.0.0.1", resolve);
    });
    onTestFinished(() => {
      giver.close();
      giver.closeAllConnections();
    });
    const { port } = giver.address() as AddressInfo;
    await using mail = await startMailBench({ imap: { tokens }, smtp: { tokens } });
    const config = {
      ...mail.config,
      password: "",
      oauth: {
        token_url: `http://127.0.0.1:${port}/token`,
        client_id: "client",
        client_secret: "secret",
        refresh_token: "refresh",
      },
    };
    await using run = await runChannel({ config });
    await mail.listening();
    await mail.write({ text: "one" });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    await run.answer("two");
    expect(mail.texts()).toEqual(["two"]);
    expect(asked).toHaveLength(2);
    expect(new URLSearchParams(asked[0]).get("refresh_token")).toBe("refresh");
  });

  it("that are closed to us end the channel with a reason", async () => {
    const giver = createHttpServer((request, response) => {
      request.resume();
      request.on("end", () => {
        response.writeHead(400, { "content-type": "application/json" });
        response.end(JSON.stringify({ error: "invalid_grant", error_description: "withdrawn" }));
      });
    });
    await new Promise<void>((resolve) => {
      giver.listen(0, "127.0.0.1", resolve);
    });
    onTestFinished(() => {
      giver.close();
      giver.closeAllConnections();
    });
    await using mail = await startMailBench();
    const { port } = giver.address() as AddressInfo;
    const oauth = {
      token_url: `http://127.0.0.1:${port}/`,
      client_id: "client",
      refresh_token: "refresh-me",
    };
    await using run = await runChannel({ config: { ...mail.config, oauth } });
    const problem = String(await run.ended);
    expect(problem).toContain("config.oauth brought no access token: invalid_grant: withdrawn");
    expect(problem).not.toContain("refresh-me");
  });
});
