import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { blocksOf, find, readPage } from "../tooling/testing/page.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch, root, type Scratch } from "./support/scratch.ts";

/** The guides and examples, followed to the letter. */

const noKeys = { DEEPSEEK_API_KEY: undefined, PRACTICE_MODEL_URL: undefined };

/** A folder that looks like a checkout; what is written there stays there. */
function createCheckout(): Scratch {
  const scratch = createScratch();
  for (const name of ["node_modules", "packages", "lua"])
    symlinkSync(join(root, name), join(scratch.folder, name));
  cpSync(join(root, "examples"), join(scratch.folder, "examples"), {
    recursive: true,
    filter: (path) => !path.includes(".opentalon"),
  });
  mkdirSync(join(scratch.folder, "plugins"));
  symlinkSync(join(root, "plugins/hello-world"), join(scratch.folder, "plugins/hello-world"));
  return scratch;
}

/** What a page says a terminal showed: the lines that were typed, and everything that was answered. */
function readTranscript(path: string): { readonly typed: string; readonly answered: string } {
  const shown = blocksOf(readPage(path), "text").find((block) => /^> /m.test(block)) ?? "";
  const begin = /^> /m.exec(shown)?.index;
  if (begin === undefined) throw new Error(`${path} shows no transcript`);
  const lines = shown
    .slice(begin)
    .split("\n")
    .map((line) => ({ line, isTyped: line.startsWith("> ") }));
  const typed = lines.filter(({ isTyped }) => isTyped).map(({ line }) => `${line.slice(2)}\n`);
  const answered = lines.filter(({ isTyped }) => !isTyped).map(({ line }) => line);
  return { typed: typed.join(""), answered: toComparable(answered.join("\n")) };
}

/** Without what is different each time. */
function toComparable(text: string): string {
  return text
    .replaceAll(/(plugin_output) [0-9a-f]{16}/g, "$1 …")
    .replaceAll(/It shows \d+\./g, "It shows ….");
}

describe("transcripts show what a terminal shows", () => {
  it("the first minute of the README", async () => {
    using checkout = createCheckout();
    const { typed, answered } = readTranscript("README.md");
    const configPath = join(checkout.folder, "config.yaml");
    const example = readFileSync(join(root, "config.example.yaml"), "utf8");
    writeFileSync(configPath, example);
    const keys = find(/\$\{(\w+)\}/g, example).map((name) => [name, undefined] as const);
    await using core = startCore({ configPath, environment: Object.fromEntries(keys) });
    core.write(typed);
    core.end();
    expect(await core.exited).toBe(0);
    const withoutQuestion = (text: string): string => text.replace(/“hello world [^”]+”/, "“…”");
    expect(withoutQuestion(core.output())).toBe(withoutQuestion(answered));
  });

  it("01-hello-world", async () => {
    using checkout = createCheckout();
    const { typed, answered } = readTranscript("examples/01-hello-world/README.md");
    const configPath = join(checkout.folder, "examples/01-hello-world/config.yaml");
    await using core = startCore({ configPath, environment: noKeys });
    core.write(typed);
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe(answered);
  });

  it("02-tool-plugin, also with what was kept before a restart", async () => {
    using checkout = createCheckout();
    await using practice = await createModelServer();
    const { typed, answered } = readTranscript("examples/02-tool-plugin/README.md");
    const configPath = join(checkout.folder, "examples/02-tool-plugin/config.yaml");
    const environment = { ...noKeys, PRACTICE_MODEL_URL: practice.url };
    const [, , list = ""] = typed.split("\n");
    for (const [input, expected] of [
      [typed, answered],
      [`${list}\n`, /1\. Water the plants\n2\. Call Ada\n/],
    ] as const) {
      await using core = startCore({ configPath, environment });
      core.write(input);
      core.end();
      expect(await core.exited).toBe(0);
      if (typeof expected === "string") expect(toComparable(core.output())).toBe(expected);
      else expect(core.output()).toMatch(expected);
    }
  });

  it("03-provider-plugin", async () => {
    using checkout = createCheckout();
    const { typed, answered } = readTranscript("examples/03-provider-plugin/README.md");
    const configPath = join(checkout.folder, "examples/03-provider-plugin/config.yaml");
    await using core = startCore({ configPath, environment: noKeys });
    core.write(typed);
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe(answered);
  });
});

it("06-callbacks works as its transcript shows, also with what was kept before a restart", async () => {
  using checkout = createCheckout();
  await using practice = await createModelServer();
  const { typed, answered } = readTranscript("examples/06-callbacks/README.md");
  const configPath = join(checkout.folder, "examples/06-callbacks/config.yaml");
  const environment = { ...noKeys, PRACTICE_MODEL_URL: practice.url };
  for (const [input, expected] of [
    [typed, answered],
    ["tool: basket__show {}\n", answered.split("\n").slice(-4).join("\n")],
  ] as const) {
    await using core = startCore({ configPath, environment });
    core.write(input);
    core.end();
    expect(await core.exited).toBe(0);
    expect(toComparable(core.output())).toBe(expected);
  }
});

describe("transcripts of hooks", () => {
  it("04-hook-plugin", async () => {
    using checkout = createCheckout();
    await using practice = await createModelServer();
    const { typed, answered } = readTranscript("examples/04-hook-plugin/README.md");
    const configPath = join(checkout.folder, "examples/04-hook-plugin/config.yaml");
    const environment = { ...noKeys, PRACTICE_MODEL_URL: practice.url };
    await using core = startCore({ configPath, environment });
    core.write(typed);
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe(answered);
    expect(JSON.stringify(practice.requests)).not.toContain("4111");
  });

  it("05-company-rules", async () => {
    using checkout = createCheckout();
    const { typed, answered } = readTranscript("examples/05-company-rules/README.md");
    const configPath = join(checkout.folder, "examples/05-company-rules/config.yaml");
    await using core = startCore({ configPath, environment: noKeys });
    core.write(typed);
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe(answered);
  });
});

describe("the guides work as they are written", () => {
  it("first-plugin.md", async () => {
    using checkout = createCheckout();
    await using practice = await createModelServer();
    const path = "docs/guide/first-plugin.md";
    const page = readPage(path);
    const [source = ""] = blocksOf(page, "ts");
    const [config = ""] = blocksOf(page, "yaml");
    const files = find(/^Save this as `([^`]+)`/gm, page.prose).map((file) =>
      join(checkout.folder, file),
    );
    const [sourcePath = "", configPath = ""] = files;
    mkdirSync(dirname(sourcePath), { recursive: true });
    writeFileSync(sourcePath, source);
    writeFileSync(configPath, config.replace("http://127.0.0.1:8099/v1", practice.url));
    const { typed, answered } = readTranscript(path);
    await using core = startCore({ configPath });
    core.write(typed);
    core.end();
    expect(await core.exited).toBe(0);
    expect(toComparable(core.output())).toBe(answered);
  });

  const missing = ["curl", "openssl", "sed"].filter(
    (tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0,
  );

  it.skipIf(missing.length > 0)("webhook-channel.md", async () => {
    using checkout = createCheckout();
    await using platform = await createPlatform();
    const page = readPage("docs/guide/webhook-channel.md");
    const [config = ""] = blocksOf(page, "yaml");
    const [, , post = "", postWithTime = ""] = blocksOf(page, "sh");
    const secret = "0123456789abcdef0123456789abcdef";
    const configPath = join(checkout.folder, "config.yaml");
    const ownPorts = config
      .replace("127.0.0.1:8091", platform.address)
      .replace("127.0.0.1:3978", "127.0.0.1:0");
    writeFileSync(configPath, ownPorts);
    writeFileSync(join(checkout.folder, "secret.txt"), `${secret}\n`);
    await using core = startCore({ configPath, environment: { MY_PLATFORM_SECRET: secret } });
    const door = await core.door();
    const run = (script: string): string =>
      spawnSync("sh", ["-c", script.replaceAll("127.0.0.1:3978", door)], {
        cwd: checkout.folder,
        env: { ...process.env, NO_PROXY: "*" },
        encoding: "utf8",
      }).stdout;

    const [shown = "", reply = ""] = blocksOf(page, "json");
    expect(run(post)).toBe(shown.trim());
    await expect.poll(() => platform.arrived.length).toBe(1);
    expect(run(post)).toBe('{"status":"duplicate"}');
    const signed = run(`${post}\n${postWithTime}`.replaceAll("m-1", "m-2"));
    expect(signed).toBe('{"status":"accepted"}{"status":"duplicate"}');
    await expect.poll(() => platform.arrived.length).toBe(2);
    expect(run(post.replace("$(cat secret.txt)", "wrong"))).toMatch(
      /"error":"the signature does not fit/,
    );

    const [first] = platform.arrived;
    const shownReply = JSON.parse(reply) as Readonly<Record<string, unknown>>;
    const arrived = JSON.parse(first?.body ?? "") as Readonly<Record<string, unknown>>;
    expect({ ...arrived, content: "" }).toEqual({ ...shownReply, content: "" });
    expect(first?.signature).toBe(
      `sha256=${createHmac("sha256", secret)
        .update(first?.body ?? "")
        .digest("hex")}`,
    );
  });
});

it("commands.md lists every command and option of --help, and no other", () => {
  const help = (...command: string[]): string =>
    spawnSync(join(root, "opentalon"), [...command, "--help"], { encoding: "utf8" }).stdout;
  const entries = (title: string, text: string): string[] =>
    find(
      /^ {2}(\S.*?)(?: {2,}.*)?$/gm,
      new RegExp(`^${title}:\\n((?:.+\\n?)+)`, "m").exec(text)?.[1] ?? "",
    );
  const list = (...path: string[]): string[] =>
    entries("Commands", help(...path))
      .filter((entry) => !entry.startsWith("help"))
      .flatMap((entry) => {
        const [name = ""] = entry.split(" ");
        const inner = list(...path, name);
        return inner.length > 0 ? inner : [["opentalon", ...path, entry].join(" ")];
      });
  const { text } = readPage("docs/reference/commands.md");
  const said = find(/^\| `(opentalon[^`]*)` \|/gm, text);
  expect(said.toSorted()).toEqual(["opentalon", ...list()].toSorted());
  const saidOptions = find(/^\| (`-.*`) \|/gm, text).map((line) => line.replaceAll("`", ""));
  expect(saidOptions.toSorted()).toEqual(entries("Options", help()).toSorted());
});

interface Platform extends AsyncDisposable {
  readonly address: string;
  readonly arrived: readonly { readonly body: string; readonly signature: string }[];
}

/** Takes replies and keeps them as they arrived, byte for byte. */
async function createPlatform(): Promise<Platform> {
  const arrived: { body: string; signature: string }[] = [];
  const server = createServer((request, answer) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.once("end", () => {
      arrived.push({ body, signature: String(request.headers["x-opentalon-signature"]) });
      answer.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
