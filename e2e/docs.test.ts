import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { blocksOf, find, readPage } from "../tooling/testing/page.ts";
import { startCore } from "./support/core-process.ts";
import { createCheckout, readTranscript, toComparable } from "./support/follow-page.ts";
import { runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, root } from "./support/scratch.ts";

/** The guides and examples, followed to the letter. */

const noKeys = { DEEPSEEK_API_KEY: undefined, PRACTICE_MODEL_URL: undefined };

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
    const [command = ""] = blocksOf(readPage(path), "sh");
    const [, ...words] = command.replace(/#.*/, "").trim().split(/\s+/);
    const { folder } = checkout;
    expect(await runOpenTalon({ arguments: words, folder })).toMatchObject({ code: 0 });
    // The project takes SDK and Node from here instead of installing them; languages.test.ts does that.
    const configPath = join(folder, "hello/config.yaml");
    const config = readFileSync(configPath, "utf8");
    const started = JSON.stringify([process.execPath, "./src/main.ts"]);
    writeFileSync(configPath, config.replace("./hello-plugin", started));
    const { typed, answered } = readTranscript(path);
    await using core = startCore({
      configPath,
      environment: { PRACTICE_MODEL_URL: practice.url },
    });
    core.write(typed);
    core.end();
    expect(await core.exited).toBe(0);
    expect(toComparable(core.output())).toBe(answered);
  });

  it.each([
    ["typescript", "ts", "src/main.ts"],
    ["python", "python", "main.py"],
    ["go", "go", "main.go"],
    ["rust", "rust", "src/main.rs"],
  ])("first-plugin.md shows what is written in %s", async (language, block, source) => {
    using scratch = createScratch();
    const { folder } = scratch;
    const words = ["plugin", "new", "hello", "--lang", language];
    expect(await runOpenTalon({ arguments: words, folder })).toMatchObject({ code: 0 });
    const [shown = ""] = blocksOf(readPage("docs/guide/first-plugin.md"), block);
    expect(shown).not.toBe("");
    expect(readFileSync(join(folder, "hello", source), "utf8")).toContain(shown);
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
    await expect.poll(() => platform.arrived.length, { timeout: 30_000 }).toBe(1);
    expect(run(post)).toBe('{"status":"duplicate"}');
    const signed = run(`${post}\n${postWithTime}`.replaceAll("m-1", "m-2"));
    expect(signed).toBe('{"status":"accepted"}{"status":"duplicate"}');
    await expect.poll(() => platform.arrived.length, { timeout: 30_000 }).toBe(2);
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

  it("websocket-channel.md", async () => {
    using checkout = createCheckout();
    const page = readPage("docs/guide/websocket-channel.md");
    const [config = ""] = blocksOf(page, "yaml");
    const [bridge = ""] = blocksOf(page, "js");
    const [frames = ""] = blocksOf(page, "json");
    const configPath = join(checkout.folder, "config.yaml");
    writeFileSync(configPath, config.replace("127.0.0.1:3978", "127.0.0.1:0"));
    const environment = { MY_BRIDGE_TOKEN: "0123456789abcdef0123456789abcdef" };
    await using core = startCore({ configPath, environment });
    const script = join(checkout.folder, "bridge.mjs");
    writeFileSync(script, bridge.replace("127.0.0.1:3978", await core.door()));
    const child = spawn(process.execPath, [script], { env: { ...process.env, ...environment } });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
    const toFrames = (text: string): readonly unknown[] =>
      text
        .trim()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => {
          const frame = JSON.parse(line) as Readonly<Record<string, unknown>>;
          return "content" in frame ? { ...frame, content: "", delivery_id: "" } : frame;
        });
    try {
      await expect.poll(() => toFrames(printed), { timeout: 30_000 }).toEqual(toFrames(frames));
    } finally {
      child.kill();
      await once(child, "exit");
    }
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
