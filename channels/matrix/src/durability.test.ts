import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ada, bob, bot, startHomeserverStub } from "./testing/homeserver-stub.ts";
import { eventually } from "./testing/eventually.ts";
import { openMatrix } from "./testing/open-matrix.ts";
import { createSkippingClock } from "./testing/skipping-clock.ts";

const toContents = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `message ${index}`);

describe("what was written while it was away", () => {
  it("is handed over at the next start, in order, however much it was", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using first = await openMatrix({ homeserver });
    await first.listening();
    homeserver.say(room, "before");
    await eventually(() => expect(first.contents()).toEqual(["before"]));
    await first.stop();
    for (const content of toContents(450)) homeserver.say(room, content);
    await using second = await openMatrix({ homeserver, folder: first.folder });
    await eventually(() => expect(second.received.length).toBe(450));
    expect(second.contents()).toEqual(toContents(450));
    expect(homeserver.calls(/messages$/).length).toBe(4);
  });

  it("is not looked for beyond the last message it knows, where a homeserver ignores our position", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    homeserver.say(room, "long ago");
    await using first = await openMatrix({ homeserver });
    await first.listening();
    homeserver.say(room, "before");
    await eventually(() => expect(first.contents()).toEqual(["before"]));
    await first.stop();
    for (const content of toContents(150)) homeserver.say(room, content);
    homeserver.intercept((request) => {
      if (request.path.endsWith("/messages")) request.query.delete("to");
      return undefined;
    });
    await using second = await openMatrix({ homeserver, folder: first.folder });
    await eventually(() => expect(second.received.length).toBe(150));
    expect(second.contents()).toEqual(toContents(150));
  });

  it("is caught up with piece by piece, so that however much it was, little is held at once", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using first = await openMatrix({ homeserver });
    await first.listening();
    await first.stop();
    for (const content of toContents(2_650)) homeserver.say(room, content);
    await using second = await openMatrix({ homeserver, folder: first.folder });
    await eventually(() => expect(second.received.length).toBe(2_650));
    expect(second.contents()).toEqual(toContents(2_650));
    const asked = homeserver.calls(/messages$/).map(({ query }) => query.get("from"));
    expect([asked.length, new Set(asked).size]).toEqual([32, 26]);
  });

  it("is not begun from the start again after a kill in the middle", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using first = await openMatrix({ homeserver });
    await first.listening();
    homeserver.say(room, "before");
    await eventually(() => expect(first.contents()).toEqual(["before"]));
    await first.stop();
    for (const content of toContents(1_000)) homeserver.say(room, content);
    const never = new Promise<void>(() => {});
    await using second = await openMatrix({
      homeserver,
      folder: first.folder,
      onReceive: ({ content }) => (content === "message 500" ? never : Promise.resolve()),
    });
    await eventually(() => expect(second.received.length).toBe(500));
    await second.stop();
    const before = homeserver.calls(/messages$/).length;
    await using third = await openMatrix({ homeserver, folder: first.folder });
    await eventually(() => expect(third.contents().at(-1)).toBe("message 999"));
    expect(third.contents()).toEqual(toContents(1_000).slice(500));
    expect(homeserver.calls(/messages$/).length - before).toBe(5);
  });
});

describe("the position", () => {
  it("moves only when everything before it is stored", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    let isStuck = false;
    const never = new Promise<void>(() => {});
    await using first = await openMatrix({
      homeserver,
      onReceive: ({ content }) => (isStuck && content === "message 3" ? never : Promise.resolve()),
    });
    await first.listening();
    const path = join(first.folder, "sync.json");
    homeserver.say(room, "start");
    await eventually(() => expect(first.contents()).toEqual(["start"]));
    await eventually(async () => expect(await readFile(path, "utf8")).toContain(room));
    const kept = await readFile(path, "utf8");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    isStuck = true;
    for (const content of toContents(5)) homeserver.say(room, content);
    await eventually(() => expect(first.received.length).toBeGreaterThan(1));
    expect(await readFile(path, "utf8")).toBe(kept);

    await first.stop();
    // The next one gets all that was not done as a whole.
    await using second = await openMatrix({ homeserver, folder: first.folder });
    await eventually(() => expect(second.contents().at(-1)).toBe("message 4"));
    expect(new Set([...first.contents(), ...second.contents()])).toEqual(
      new Set(["start", ...toContents(5)]),
    );
    const identities = [...first.received, ...second.received].map(
      ({ content, messageId }) => `${content} ${messageId}`,
    );
    expect(new Set(identities).size).toBe(6);
  });

  it("that the homeserver has lost is begun anew, and of another user counts as nothing", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using first = await openMatrix({ homeserver });
    await first.listening();
    await first.stop();
    homeserver.say(room, "lost");
    let refusals = 0;
    homeserver.intercept(({ path, query }) => {
      if (!path.endsWith("/sync") || !query.has("since") || refusals > 0) return undefined;
      refusals += 1;
      return { status: 400, json: { errcode: "M_UNKNOWN", error: "Invalid stream token" } };
    });
    await using second = await openMatrix({ homeserver, folder: first.folder });
    await eventually(() => expect(second.log.join()).toContain("does not know our position"));
    await eventually(() => expect(homeserver.calls(/\/sync$/).length).toBeGreaterThanOrEqual(4));
    homeserver.say(room, "found");
    await eventually(() => expect(second.contents()).toEqual(["found"]));
  });
});

describe("a homeserver in trouble", () => {
  it("is tried again with growing pauses, and nothing is lost", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    const clock = createSkippingClock();
    await using matrix = await openMatrix({ homeserver, clock });
    await matrix.listening();
    const answers = [
      { status: 502, json: "<html>Bad Gateway</html>" },
      { status: 429, json: { errcode: "M_LIMIT_EXCEEDED", retry_after_ms: 7_000 } },
      { status: 429, headers: { "retry-after": "9" }, json: {} },
      { json: { next_batch: "s1" }, isCut: true },
      { json: {} },
    ];
    let failures = 0;
    homeserver.intercept(({ path }) => {
      if (!path.endsWith("/sync") || failures >= answers.length) return undefined;
      failures += 1;
      return answers[failures - 1];
    });
    homeserver.hangUp();
    homeserver.say(room, "through all of it");
    await eventually(() => expect(matrix.contents()).toEqual(["through all of it"]));
    expect(failures).toBe(answers.length);
    expect(
      matrix.log.filter((line) => line.includes("trying again")).length,
    ).toBeGreaterThanOrEqual(5);
    expect(clock.pausesMs).toEqual(expect.arrayContaining([7_000, 9_000]));
    expect(matrix.log.join("\n")).not.toContain(bot.token);
  });

  it("that cannot be asked about a room keeps what is written there until it can", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openGroup();
    await using first = await openMatrix({ homeserver });
    await first.listening();
    const { messageIds } = await first.send({ conversationId: room, content: "hello all" });
    await first.stop();
    const relation = { "m.relates_to": { "m.in_reply_to": { event_id: messageIds[0] } } };
    homeserver.say(room, "answered", relation);
    let failures = 0;
    homeserver.intercept(({ path }) => {
      if (!/\/(?:event|joined_members)/.test(path) || failures > 3) return undefined;
      failures += 1;
      return { status: 503, json: {} };
    });
    const clock = createSkippingClock();
    await using second = await openMatrix({ homeserver, folder: first.folder, clock });
    await eventually(() => expect(second.contents()).toEqual(["answered"]));
    expect(failures).toBe(4);
  });

  it("that is away at the start is waited for", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    let failures = 0;
    homeserver.intercept(() => {
      failures += 1;
      return failures > 3 ? undefined : { status: 503, json: {} };
    });
    const clock = createSkippingClock();
    await using matrix = await openMatrix({ homeserver, clock });
    await expect(matrix.send({ conversationId: room, content: "early" })).rejects.toThrow(
      "the homeserver is not connected yet",
    );
    await matrix.listening();
    expect(matrix.log.filter((line) => line.startsWith("not signed in yet")).length).toBe(3);
  });
});

describe("what cannot be taken as it is", () => {
  it("is asked for in smaller pieces when it is too large for one answer", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using first = await openMatrix({ homeserver });
    await first.listening();
    await first.stop();
    for (const content of toContents(20)) homeserver.say(room, content);
    homeserver.intercept(({ path, query }) =>
      path.endsWith("/sync") && (query.get("filter") ?? "").includes('"limit":100')
        ? { headers: { "content-length": "99999999" } }
        : undefined,
    );
    await using second = await openMatrix({ homeserver, folder: first.folder });
    await eventually(() => expect(second.contents()).toEqual(toContents(20)));
  });

  it("is left out and told, and the rest is taken", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using matrix = await openMatrix({
      homeserver,
      onReceive: async ({ content }) => {
        if (content === "poison") throw new TypeError("nobody expected that");
      },
    });
    await matrix.listening();
    for (const content of ["before", "poison", "after"]) homeserver.say(room, content);
    await eventually(() => expect(matrix.contents()).toEqual(["before", "after"]));
    expect(matrix.log.at(-1)).toMatch(/the event \$\S+ of !\S+ cannot be read .* nobody expected/);
  });

  it("comes again when we were signed out in the middle of it", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    const config = { homeserver: homeserver.url, user: "talon", password: bot.password };
    await using first = await openMatrix({ homeserver, config });
    await first.listening();
    await first.stop();
    homeserver.say(room, "still there?");
    homeserver.intercept(({ path }) => {
      if (path.endsWith("/joined_members")) homeserver.signOut();
      return undefined;
    });
    await using second = await openMatrix({ homeserver, config, folder: first.folder });
    expect(String(await second.ended)).toContain("it is made anew");
    homeserver.intercept(undefined);
    await using third = await openMatrix({ homeserver, config, folder: first.folder });
    await eventually(() => expect(third.contents()).toEqual(["still there?"]));
  });
});

describe("signing in", () => {
  it("with a token that is worth nothing says so", async () => {
    await using homeserver = await startHomeserverStub();
    const config = { homeserver: homeserver.url, access_token: "syt_wrong" };
    await using matrix = await openMatrix({ homeserver, config });
    const error = String(await matrix.ended);
    expect(error).toMatch(/`access_token` is not valid at 127\.0\.0\.1:\d+ \(M_UNKNOWN_TOKEN\)/);
    expect(error).not.toContain("syt_wrong");
  });

  it("ends with the same words when the token is revoked while it listens", async () => {
    await using homeserver = await startHomeserverStub();
    homeserver.openDirectChat();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    homeserver.signOut();
    homeserver.hangUp();
    expect(String(await matrix.ended)).toContain("`access_token` is not valid");
  });

  it("with a password keeps the login, and makes another on the same device when it is ended", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    const config = { homeserver: homeserver.url, user: "talon", password: bot.password };
    const logins = (): unknown[] =>
      homeserver
        .calls(/\/login$/)
        .filter(({ method }) => method === "POST")
        .map(({ json }) => json["device_id"]);
    await using first = await openMatrix({ homeserver, config });
    await first.listening();
    await first.stop();
    const path = join(first.folder, "session.json");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, "utf8")).not.toContain(bot.password);
    await using second = await openMatrix({ homeserver, config, folder: first.folder });
    await second.listening();
    expect(logins()).toEqual([undefined]);
    homeserver.signOut();
    homeserver.hangUp();
    expect(String(await second.ended)).toContain("it is made anew");
    await using third = await openMatrix({ homeserver, config, folder: first.folder });
    await third.listening();
    expect(logins()).toEqual([undefined, "DEVICE1"]);
    homeserver.say(room, "hello again");
    await eventually(() => expect(third.contents()).toEqual(["hello again"]));
  });

  it("with a wrong password, or where there are none, says so", async () => {
    await using homeserver = await startHomeserverStub();
    const config = { homeserver: homeserver.url, user: "talon", password: "wr0ng" };
    await using first = await openMatrix({ homeserver, config });
    expect(String(await first.ended)).toBe(
      "Error: `user` and `password` are not accepted (M_FORBIDDEN)",
    );
    homeserver.intercept(({ path, method }) =>
      path.endsWith("/login") && method === "GET"
        ? { json: { flows: [{ type: "m.login.sso" }] } }
        : undefined,
    );
    await using second = await openMatrix({ homeserver, config });
    expect(String(await second.ended)).toContain("set `access_token`");
  });

  it("finds the homeserver a name leads to", async () => {
    await using homeserver = await startHomeserverStub();
    await using door = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    door.intercept(({ path }) =>
      path === "/.well-known/matrix/client"
        ? { json: { "m.homeserver": { base_url: homeserver.url } } }
        : { status: 404, json: "<html>" },
    );
    const config = { homeserver: door.url, access_token: bot.token };
    await using matrix = await openMatrix({ homeserver, config });
    await matrix.listening();
    homeserver.say(room, "hello");
    await eventually(() => expect(matrix.contents()).toEqual(["hello"]));
    door.intercept(() => ({ status: 404, json: {} }));
    await using lost = await openMatrix({ homeserver, config });
    expect(String(await lost.ended)).toContain("there is no Matrix homeserver at http://127.0.0.1");
  });
});

describe("invitations", () => {
  it("to direct chats are accepted from everybody, and what was written since is answered", async () => {
    await using homeserver = await startHomeserverStub();
    const clock = createSkippingClock();
    await using matrix = await openMatrix({ homeserver, clock });
    await matrix.listening();
    let refusals = 0;
    homeserver.intercept(({ path }) =>
      path.includes("/join/") && (refusals += 1) < 4 ? { status: 503, json: {} } : undefined,
    );
    const room = homeserver.invite({ person: bob });
    homeserver.say(room, "are you there?", {}, bob);
    await eventually(() => expect(matrix.contents()).toEqual(["are you there?"]));
    homeserver.say(room, "good", {}, bob);
    await eventually(() => expect(matrix.contents()).toEqual(["are you there?", "good"]));
  });

  it("to rooms are accepted from people who may invite", async () => {
    await using homeserver = await startHomeserverStub();
    const config = {
      homeserver: homeserver.url,
      access_token: bot.token,
      allow_invites_from: ["@*:other.test"],
    };
    await using matrix = await openMatrix({ homeserver, config });
    await matrix.listening();
    const foreign = homeserver.invite({ person: ada, isDirect: false });
    const allowed = homeserver.invite({ person: bob, isDirect: false });
    await eventually(() => expect(homeserver.membership(allowed)).toBe("join"));
    expect(homeserver.membership(foreign)).toBe("invite");
    expect(matrix.log.join("\n")).toMatch(
      /an invitation of "@ada:hs\.test" to "![^"]+" is not accepted: set `allow_invites_from`/,
    );
  });

  it.each([
    ["allowlist", "invite"],
    [false, "invite"],
    [true, "join"],
  ] as const)("follow auto_join: %s", async (auto_join, expected) => {
    await using homeserver = await startHomeserverStub();
    const config = {
      homeserver: homeserver.url,
      access_token: bot.token,
      auto_join,
      allow_invites_from: auto_join === false ? [] : [ada],
    };
    await using matrix = await openMatrix({ homeserver, config });
    await matrix.listening();
    const foreign = homeserver.invite({ person: bob });
    const own = homeserver.invite({ person: ada, isDirect: false });
    if (auto_join === false) await eventually(() => expect(matrix.log.length).toBe(3));
    else await eventually(() => expect(homeserver.membership(own)).toBe("join"));
    expect(homeserver.membership(own)).toBe(auto_join === false ? "invite" : "join");
    if (expected === "join")
      await eventually(() => expect(homeserver.membership(foreign)).toBe("join"));
    expect(homeserver.membership(foreign)).toBe(expected);
  });

  it("of strangers are limited in an hour", async () => {
    await using homeserver = await startHomeserverStub();
    const clock = createSkippingClock();
    await using matrix = await openMatrix({ homeserver, clock });
    await matrix.listening();
    const invited = Array.from({ length: 21 }, (_, index) =>
      homeserver.invite({ person: `@stranger${index}:other.test` }),
    );
    const joined = (): number =>
      invited.filter((room) => homeserver.membership(room) === "join").length;
    await eventually(() => expect(joined()).toBe(20));
    await eventually(() => expect(matrix.log.join()).toContain("20 of strangers within an hour"));
    clock.advance(3_600_001);
    const later = homeserver.invite({ person: "@late:other.test" });
    await eventually(() => expect(homeserver.membership(later)).toBe("join"));
    expect(joined()).toBe(20);
  });

  it("from before the first start are followed, and what was written then is not answered", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.invite();
    homeserver.say(room, "weeks ago");
    await using matrix = await openMatrix({ homeserver });
    await eventually(() => expect(homeserver.membership(room)).toBe("join"));
    homeserver.say(room, "today");
    await eventually(() => expect(matrix.contents()).toEqual(["today"]));
  });

  it("that were accepted are followed after a restart", async () => {
    await using homeserver = await startHomeserverStub();
    await using first = await openMatrix({ homeserver });
    await first.listening();
    homeserver.intercept(({ path }) =>
      path.includes("/join/") ? { status: 503, json: {} } : undefined,
    );
    const room = homeserver.invite();
    homeserver.say(room, "anybody?");
    await eventually(() => expect(homeserver.calls(/\/join\//).length).toBeGreaterThan(0));
    await first.stop();
    homeserver.intercept(undefined);
    await using second = await openMatrix({ homeserver, folder: first.folder });
    homeserver.say(homeserver.openDirectChat(bob), "wake up", {}, bob);
    await eventually(() => expect(second.contents()).toContain("anybody?"));
  });
});
