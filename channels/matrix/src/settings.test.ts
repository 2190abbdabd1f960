import { describe, expect, it } from "vitest";
import { readSettings } from "./settings.ts";

const good = { homeserver: "https://matrix.hs.test", access_token: "syt_secret" };

describe("settings", () => {
  it("need an address and a token, and take the careful choice for the rest", () => {
    expect(readSettings(good)).toEqual({
      homeserver: new URL("https://matrix.hs.test"),
      credentials: { kind: "token", accessToken: "syt_secret" },
      autoJoin: "direct",
      allowInvitesFrom: [],
      answersAs: "m.text",
    });
    const login = { homeserver: "hs.test", user: "@talon:hs.test", password: "pass word" };
    expect(
      readSettings({ ...login, auto_join: true, allow_invites_from: "@ada:hs.test" }),
    ).toMatchObject({
      homeserver: new URL("https://hs.test"),
      credentials: { kind: "password", user: "@talon:hs.test", password: "pass word" },
      autoJoin: "everyone",
      allowInvitesFrom: ["@ada:hs.test"],
    });
    expect(readSettings({ ...good, homeserver: "http://[::1]:8008/" }).homeserver.port).toBe(
      "8008",
    );
  });

  it.each([
    [{}, "`homeserver` is missing"],
    [{ homeserver: "http://hs.test" }, "`homeserver` must begin with https://"],
    [{ homeserver: "ftp://hs.test" }, "`homeserver` must begin with https://"],
    [{ homeserver: "https://" }, "`homeserver` must be an address"],
    [{ homeserver: "https://u:p@hs.test" }, "without user"],
    [{ homeserver: "hs.test" }, "`access_token` is missing"],
    [{ ...good, password: "x" }, "exclude each other"],
    [{ homeserver: "hs.test", password: "sesame" }, "`user` is missing"],
    [{ homeserver: "hs.test", user: "talon" }, "`password` is missing"],
    [{ ...good, access_token: "syt_secret\nx" }, "`access_token` has characters"],
    [{ ...good, access_token: 7 }, "`access_token` must be text"],
    [{ ...good, auto_join: "always" }, "`auto_join` must be"],
    [{ ...good, allow_invites_from: ["ada"] }, "`allow_invites_from` must be a list"],
    [{ ...good, allow_invites_from: ["@*"] }, "`allow_invites_from` must be a list"],
    [{ ...good, answers_as: "shout" }, "`answers_as` must be"],
    [{ ...good, home_server: "x" }, "there is no key `home_server`"],
  ])("%j are refused in words that name the key and no secret", (config, words) => {
    const read = (): unknown => readSettings(config);
    expect(read).toThrow(words);
    expect(read).not.toThrow(/syt_secret|sesame/);
  });
});
