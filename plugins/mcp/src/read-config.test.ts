import { describe, expect, test } from "vitest";
import { readConfig } from "./read-config.ts";

describe("the configuration", () => {
  test.each([
    [{}, "there is no server"],
    [{ servers: {} }, "config.servers must be a list"],
    [{ servers: ["files"] }, "config.servers[0] must have settings"],
    [{ servers: [{ server: "a" }] }, "does not say where the server is"],
    [{ servers: [{ url: "http://a" }] }, "has no name"],
    [{ servers: [{ server: "a", url: "file:///etc" }] }, "must be an address"],
    [{ servers: [{ server: "a", url: "http://user:pass@a" }] }, "must be an address"],
    [{ servers: [{ server: "a", url: "http://a", command: "b" }] }, "has a url and a command"],
    [{ servers: [{ server: "a", command: "./b" }] }, "command must be a whole path"],
    [{ servers: [{ server: "a", command: "b", cwd: "c" }] }, "cwd must be a whole path"],
    [{ servers: [{ server: "a", command: "b", args: "c" }] }, "servers[0].args must be a list"],
    [{ servers: [{ server: "a", command: "b", timeout: "soon" }] }, "timeout must be a time"],
    [{ servers: [{ server: "a", url: "http://a", transport: "ws" }] }, "auto or http or sse"],
    [
      {
        servers: [
          { server: "a.b", command: "x" },
          { server: "a b", command: "y" },
        ],
      },
      "the same actions (a_b__…)",
    ],
    [
      { servers: [{ server: "a", url: "http://a", headers: { k: "{{env.NO_SUCH}}" } }] },
      "needs the variable NO_SUCH",
    ],
    [
      {
        servers: [{ server: "a", url: "http://a", oauth: { client_id: "c", client_secret: "s" } }],
      },
      "issuer must name the authorization server",
    ],
    [
      { servers: [{ server: "a", url: "http://a", oauth: { grant: "client_credentials" } }] },
      "needs client_id and client_secret",
    ],
    [
      {
        servers: Array.from({ length: 33 }, (_, index) => ({ server: `s${index}`, command: "x" })),
      },
      "32 are the most",
    ],
    [{ name: "a b", servers: [{ server: "a", command: "b" }] }, "config.name must be"],
  ])("%# is refused in words", (config, problem) => {
    expect(() => readConfig(config, {})).toThrow(problem);
  });

  test("shows no value of a header that cannot be sent", () => {
    const config = { servers: [{ server: "a", url: "http://a", headers: { k: "top\nsecret" } }] };
    expect(() => readConfig(config, {})).toThrow(/^(?!.*secret).*servers\[0\]\.headers\.k/);
  });

  test("is completed, its variables filled in", () => {
    const config = {
      servers: [
        { name: "Jira Cloud", url: "https://{{env.HOST}}/mcp", headers: { key: "{{ env.KEY }}!" } },
      ],
    };
    const { name, startWaitMs, servers, warnings } = readConfig(config, {
      HOST: "jira.test",
      KEY: "k",
    });
    expect({ name, startWaitMs, warnings }).toEqual({
      name: "mcp",
      startWaitMs: 4_000,
      warnings: [],
    });
    expect(servers).toMatchObject([
      {
        name: "Jira Cloud",
        slug: "Jira_Cloud",
        trustHints: false,
        useInstructions: false,
        timeoutMs: 60_000,
        maxTools: 250,
        place: { kind: "http", transport: "auto", headers: { key: "k!" } },
      },
    ]);
  });

  test("is joined by what OPENTALON_MCP_SERVERS lists", () => {
    const text = JSON.stringify([{ server: "more", url: "http://127.0.0.1/mcp" }]);
    const { servers } = readConfig(
      { servers: [{ server: "one", command: "x" }] },
      { OPENTALON_MCP_SERVERS: text },
    );
    expect(servers.map(({ slug, trustHints }) => [slug, trustHints])).toEqual([
      ["one", true],
      ["more", true],
    ]);
    expect(() => readConfig({}, { OPENTALON_MCP_SERVERS: "{" })).toThrow("is not a JSON list");
  });

  test("says what it does not know", () => {
    const { warnings } = readConfig(
      { serves: [], servers: [{ server: "a", url: "http://a", header: {}, oauth: { id: "x" } }] },
      {},
    );
    expect(warnings.map((warning) => warning.split(" ")[0])).toEqual([
      "config.serves",
      "config.servers[0].header",
      "config.servers[0].oauth.id",
    ]);
  });
});
