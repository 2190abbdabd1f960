import { describe, expect, it } from "vitest";
import { readSettings } from "./read-settings.ts";

const config = {
  address: "Talon@Example.com",
  password: "sesame-open",
  authserv_id: "mx.example.com",
  imap: { host: "imap.example.com" },
  smtp: { host: "smtp.example.com" },
};

describe("the settings", () => {
  it("need an address, a password and two hosts", () => {
    const settings = readSettings(config);
    expect(settings).toMatchObject({
      address: "talon@example.com",
      ownAddresses: ["talon@example.com"],
      folder: "INBOX",
      requireAuthentication: true,
      maxMailsPerHour: 20,
    });
    expect(settings.imap).toEqual({
      host: "imap.example.com",
      port: 993,
      protection: "tls",
      user: "talon@example.com",
      password: "sesame-open",
      ca: undefined,
    });
    expect(settings.smtp).toMatchObject({ port: 465, protection: "tls" });
  });

  it("know what the usual ports mean, and a login for each server", () => {
    const { imap, smtp } = readSettings({
      ...config,
      imap: { host: "imap.example.com", port: 143, user: "t1", password: "one" },
      smtp: { host: "smtp.example.com", port: 587, user: "t2", password: "two" },
    });
    expect(imap).toMatchObject({ protection: "starttls", user: "t1", password: "one" });
    expect(smtp).toMatchObject({ protection: "starttls", user: "t2", password: "two" });
    expect(
      readSettings({ ...config, smtp: { host: "s.example.com", port: 2525 } }).smtp.protection,
    ).toBe("tls");
  });

  it.each([
    [{ address: undefined }, "set config.address"],
    [{ address: "talon" }, "config.address has to be the address people write to"],
    [{ password: undefined }, "set config.imap.password, or config.password for both servers"],
    [{ imap: undefined }, "set config.imap.host"],
    [{ smtp: {} }, "set config.smtp.host"],
    [{ smtp: { host: "bad host" } }, "config.smtp.host has to be the name of a server"],
    [{ imap: { host: "imap.example.com", tls: false } }, "config.imap.tls cannot be false"],
    [{ imap: { host: "127.0.0.1.example.com", tls: false } }, "config.imap.tls cannot be false"],
    [{ imap: { host: "imap.example.com", tls: "maybe" } }, "config.imap.tls has to be true"],
    [
      { imap: { host: "imap.example.com", port: 99_999 } },
      "config.imap.port has to be a whole number",
    ],
    [{ imap: { host: "imap.example.com", secure: true } }, "config.imap.secure is not known"],
    [{ pasword: "x" }, "config.pasword is not known"],
    [{ authserv_id: undefined }, "set config.authserv_id"],
    [{ aliases: ["x"] }, "config.aliases has to be a list of addresses"],
    [{ password: "a\r\nb" }, "config.password has to be one line"],
    [
      { oauth: { token_url: "http://tokens.example.com" } },
      "config.oauth.token_url has to be an https",
    ],
    [{ max_mails_per_hour: 0 }, "config.max_mails_per_hour has to be a whole number"],
  ])("say what is wrong with %j", (wrong, problem) => {
    const read = (): unknown => readSettings({ ...config, ...wrong });
    expect(read).toThrow(problem);
    expect(read).not.toThrow(/sesame-open/);
  });

  it("let forged senders in only where that is said", () => {
    const open = { ...config, authserv_id: undefined, require_authentication: false };
    expect(readSettings(open)).toMatchObject({ requireAuthentication: false, authservIds: [] });
  });
});
