import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadDefinition } from "./load-definition.ts";
import { readDefinition } from "./read-definition.ts";

const least = "id: x\ninbound:\n  http_webhook: {}\n";

function problemOf(yaml: string): string {
  try {
    readDefinition("/d/channel.yaml", yaml);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

describe("the definition of a channel", () => {
  it.each([
    ["name: x\ninbound: {}\n", /^\/d\/channel\.yaml:1: id: it must be given/],
    ["id: x\n", /:1: inbound: it needs http_webhook, polling, or a connection/],
    ["id: x\ninbound:\n  polling: {}\n", /:3: inbound\.polling\.url: it must be given/],
    [`${least}  skip: nonsense\n`, /:4: inbound\.skip: a list is expected/],
    [`${least}  skip:\n    - equals: a\n`, /:5: inbound\.skip\[0\]\.field: it must be given/],
    [`${least}  dedup: {key: a, ttl: soon}\n`, /:4: inbound\.dedup\.ttl: a time such as/],
    [
      `${least}  dispatch:\n    when: []\n    call: {url: "https://a.example"}\n`,
      /:5: inbound\.dispatch: strangers could/,
    ],
    [
      `${least}  transforms:\n    - {type: replace, pattern: "(a", regex: true}\n`,
      /:5: .*pattern: this is no RE2 expression/,
    ],
    [
      `${least}capabilities:\n  response_format: morse\n`,
      /:5: capabilities\.response_format: it must be one of/,
    ],
    [
      `${least}connection:\n  url: a\n  reconnect: {re_init: [b]}\n`,
      /re_init: there is no init step named "b"/,
    ],
    [
      "id: x\ninbound:\n  http_webhook: {validate_jwt: true, audience: a}\n",
      /oidc_endpoint: validate_jwt needs it/,
    ],
    [
      "id: x\ninbound:\n  http_webhook: {signature_scheme: rot13, signature_secret: s}\n",
      /must be one of github, standard_webhooks, slack/,
    ],
    [
      "id: x\ninbound:\n  http_webhook: {secret_header: a}\n",
      /secret_value: secret_header needs it/,
    ],
    ["id: [\n", /:2: this is not valid YAML/],
    ["- a\n", /id: it must be given/],
    ["just words\n", /a definition is a map of keys/],
  ])("%j is refused with file, line and key", (yaml, problem) => {
    expect(problemOf(yaml)).toMatch(problem);
  });

  it("warns about keys nobody reads and about placeholders that cannot work, and loads", () => {
    const { warnings } = readDefinition(
      "/d/channel.yaml",
      `${least}  mapping: {contant: text, content: "{{ event.x }}{{evnt.y}}"}\n`,
    );
    expect(warnings).toEqual([
      expect.stringMatching(/:4: inbound\.mapping\.contant: nothing reads this key/) as string,
      expect.stringMatching(/:4: \{\{evnt\.y\}\} is always empty/) as string,
      expect.stringMatching(/:4: a placeholder with spaces/) as string,
    ]);
  });

  it("asks only for the environment it names", () => {
    const { definition } = readDefinition(
      "/d/channel.yaml",
      `${least}required_env: [A]\nallowed_hosts: ["{{env.B}}"]\n`,
    );
    expect(definition.environmentNames).toEqual(["A", "B"]);
  });

  it("reads numbers and booleans where words are expected, and what aliases stand for", () => {
    const { definition } = readDefinition(
      "/d/channel.yaml",
      `${least}  skip:\n    - &a {field: x, equals: true}\n    - {field: y, equals: 007}\n    - *a\n`,
    );
    expect(definition.inbound.skip.map(({ equals }) => equals?.text)).toEqual([
      "true",
      "007",
      "true",
    ]);
  });

  it("comes with its tools, whatever else it holds", async () => {
    const folder = await mkdtemp(join(tmpdir(), "opentalon-definition-"));
    try {
      await writeFile(join(folder, "channel.yaml"), `${least}tools_file: tools.yaml\n`);
      await writeFile(
        join(folder, "tools.yaml"),
        [
          "- {plugin: chat, description: Chat, action: post, method: post, url: 'https://a.example/{{args.to}}',",
          "   headers: {A: b}, required_env: [T], parameters: [{name: to, required: true, extra: 1}]}",
          "- {plugin: chat, action: list, url: 'https://a.example'}",
        ].join("\n"),
      );
      const { definition, warnings } = loadDefinition(join(folder, "channel.yaml"));
      expect(definition.tools).toMatchObject([
        {
          plugin: "chat",
          description: "Chat",
          action: "post",
          method: "POST",
          headers: { A: "b" },
          requiredEnvironment: ["T"],
          parameters: [{ name: "to", description: "", required: true }],
        },
        { plugin: "chat", description: "Chat", action: "list", method: "GET" },
      ]);
      expect(warnings).toEqual([
        expect.stringMatching(/tools\.yaml:2: .*extra: nothing reads/) as string,
      ]);
      await writeFile(join(folder, "other.yaml"), `${least}tools_file: ../elsewhere.yaml\n`);
      for (const file of ["other.yaml", "channel.yaml"]) {
        const inner = join(folder, file === "other.yaml" ? "" : "inner");
        expect(() => loadDefinition(join(folder, file), inner)).toThrow(/outside of its folder/);
      }
      expect(() => loadDefinition(join(folder, "missing.yaml"))).toThrow(
        /missing\.yaml cannot be read/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
