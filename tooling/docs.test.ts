import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { readDefinition } from "../packages/opentalon/src/channels/yaml/read-definition.ts";
import { parseConfig } from "../packages/opentalon/src/config/load-config.ts";
import { demoModel } from "../packages/opentalon/src/providers/demo-adapter.ts";
import { runCommand } from "../packages/opentalon/src/inbound/run-command.ts";
import { find, readPage, root, type Page } from "./testing/page.ts";

/** What the Markdown files of the project say, held against the code. */

const read = (path: string): string => readFileSync(join(root, path), "utf8");

const isForeign = (name: string): boolean => /^(?:node_modules|dist|\..+)$/.test(name);
const pages = globSync("**/*.md", { cwd: root, exclude: isForeign }).toSorted().map(readPage);
const examples = globSync("examples/*/config.yaml", { cwd: root });

const sorted = (names: Iterable<string>): string[] => [...new Set(names)].toSorted();
const ofAllPages = (list: (page: Page) => readonly string[]): string[] =>
  pages.flatMap((page) => list(page).map((found) => `${page.path}: ${found}`));

describe("errors", () => {
  const source = read("packages/opentalon/src/base/errors.ts");
  const page = read("docs/reference/errors.md");

  /** Members of the exported unions, reasons as the constructors make codes of them. */
  const known = source
    .matchAll(/^export type (\w+?)(ErrorCode|FailureReason) =([^;]+);/gm)
    .flatMap(([, name = "", kind, members = ""]) =>
      find(/"([^"]+)"/g, members).map((member) =>
        kind === "ErrorCode" ? member : `${name}_${member.replaceAll("-", "_")}`.toUpperCase(),
      ),
    );
  const codes = sorted(known);

  it("all have a line in errors.md, and no other has", () => {
    expect(codes.length).toBeGreaterThan(30);
    expect(sorted(find(/^\| `([A-Z_]+)` \|/gm, page))).toEqual(codes);
  });

  it("are spelled right wherever a page names one", () => {
    const families = sorted(codes.map((code) => code.split("_")[0] ?? "")).join("|");
    const named = new RegExp(`^(?:${families})_[A-Z_]+$`);
    expect(
      ofAllPages(({ codes: said }) =>
        said.filter((code) => named.test(code) && !codes.includes(code)),
      ),
    ).toEqual([]);
  });

  it("that replies carry are listed, and no others", () => {
    const sources = ["orchestrator/explain-error.ts", "hooks/run-preparers.ts"].map((file) =>
      read(`packages/opentalon/src/${file}`),
    );
    const carried = find(/error_?code: "(\w+)"/gi, sources.join("\n"));
    expect(sorted(find(/^\| `([a-z_]+)` \|/gm, page))).toEqual(sorted(carried));
  });
});

describe("commands.md", () => {
  const page = read("docs/reference/commands.md");

  it("lists every command of a conversation, and no other", () => {
    const message = {
      channel: "console",
      channelKind: "console",
      platformMessageId: "1",
      conversationId: "1",
      threadId: "",
      senderId: "1",
      senderName: "",
      content: "/help",
      files: [],
      metadata: {},
      sentAtMs: 0,
    };
    const ports = {
      resolveModel: () => undefined,
      models: () => [],
      currentModel: () => demoModel,
      judgeByChoice: () => [],
      showConfig: () => "",
      isOperator: () => true,
    };
    const session = { key: "", messages: [], pinnedModel: "", lastAnswer: undefined };
    const isCommand = (name: string): boolean =>
      !/no command/.test(runCommand({ ...message, content: name }, session, ports)?.text ?? "");
    const listed = find(/\/[a-z]+/g, runCommand(message, session, ports)?.text ?? "");
    const said = sorted(find(/`(\/[a-z]+)[^`]*`/g, page));
    expect(listed.filter((name) => !said.includes(name))).toEqual([]);
    expect(said.filter((name) => !isCommand(name))).toEqual([]);
  });
});

describe("every page", () => {
  it("links to files and headings that exist", () => {
    const toAnchor = (heading: string): string =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-");
    const isBroken = (page: Page, link: string): boolean => {
      if (/^[a-z]+:/.test(link)) return false;
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? page.path : normalize(join(dirname(page.path), file));
      if (target.startsWith("..") || !existsSync(join(root, target))) return true;
      if (anchor === undefined) return false;
      return !find(/^#+ (.+)$/gm, readPage(target).prose)
        .map(toAnchor)
        .includes(anchor);
    };
    expect(
      ofAllPages((page) =>
        find(/\]\(([^)\s]+)\)/g, page.prose).filter((link) => isBroken(page, link)),
      ),
    ).toEqual([]);
  });

  it("names targets of make that exist", () => {
    const targets = find(/^([a-z-]+):/gm, read("Makefile"));
    const named = ({ blocks, codes }: Page): string[] => {
      const commands = blocks
        .filter(({ language }) => language === "sh")
        .flatMap(({ text }) => text.split("\n"));
      return [...commands, ...codes].flatMap((line) =>
        find(/^(?:\$ )?make (?:-C \S+ )?([a-z-]+)/g, line),
      );
    };
    expect(ofAllPages((page) => named(page).filter((target) => !targets.includes(target)))).toEqual(
      [],
    );
  });

  it("names paths that exist", () => {
    const path =
      /(?<![\w/.~<-])(?:\.\/)?(?:packages|plugins|examples|docs|e2e|bench|tooling|proto|node_modules)\/[\w./-]*\w|(?<![\w/.-])\.\/opentalon\b/g;
    const isMissing = ({ path: from, text }: Page, named: string): boolean => {
      if (existsSync(join(root, named)) || existsSync(join(root, dirname(from), named)))
        return false;
      // What a guide tells to write, what is built, and folders inside the state folder.
      const told = find(/^Save this as `([^`]+)`/gm, text);
      return !(
        told.includes(named.replace("./", "")) ||
        named.includes("/dist/") ||
        /^plugins\/\w+$/.test(named)
      );
    };
    const named = ({ blocks, codes }: Page): string[] => {
      const snippets = blocks
        .filter(({ language }) => ["sh", "yaml"].includes(language))
        .map(({ text }) => text);
      return [...snippets, ...codes.filter((code) => !/[<*{]/.test(code))].flatMap((text) =>
        find(path, text),
      );
    };
    expect(ofAllPages((page) => named(page).filter((each) => isMissing(page, each)))).toEqual([]);
  });
});

describe("configuration", () => {
  /** Problems and warnings of a configuration whose variables are all set. */
  const check = (path: string, text: string): string[] => {
    const environment = Object.fromEntries(
      find(/\$\{(\w+)\}/g, text).map((name) => [name, `a-value-of-${name}`]),
    );
    const { warnings } = parseConfig({ text, path: join(root, path), environment });
    return warnings.filter(({ level }) => level === "warn").map(({ message }) => message);
  };

  it("in pages is accepted without a warning", () => {
    const shown = pages.flatMap(({ path, blocks }) =>
      blocks.filter(({ language }) => language === "yaml").map(({ text }) => ({ path, text })),
    );
    expect(shown.length).toBeGreaterThan(5);
    expect(shown.flatMap(({ path, text }) => check(path, text))).toEqual([]);
  });

  it("of channels in pages is accepted without a warning", () => {
    const shown = pages.flatMap(({ path, blocks }) =>
      blocks.filter(({ language }) => language === "yml").map(({ text }) => ({ path, text })),
    );
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.flatMap(({ path, text }) => readDefinition(path, text).warnings)).toEqual([]);
  });

  it("of channels has a page with every key", () => {
    const folder = "packages/opentalon/src/channels/yaml";
    const sources = [
      "read-definition.ts",
      "read-request.ts",
      "read-condition.ts",
      "read-mapping.ts",
      "read-webhook-rules.ts",
      "read-tools.ts",
    ];
    const keys = find(
      /\b(?:text|template|flag|whole|duration|texts|textOrTexts|map|maps|textOrMap|required|has|source|request|readTexts|readTemplates|readRegex|optionalTexts)\((?:\w+, )?"([a-z_]+)"/g,
      sources.map((name) => read(`${folder}/${name}`)).join("\n"),
    );
    expect(keys.length).toBeGreaterThan(80);
    const page = read("docs/guide/yaml-channels.md");
    const named = new Set(find(/`([a-z_.]+)[`:]/g, page).flatMap((code) => code.split(".")));
    expect(sorted(keys).filter((key) => !named.has(key))).toEqual([]);
  });

  it.each(["config.example.yaml", ...examples])("%s is accepted without a warning", (path) => {
    expect(check(path, read(path))).toEqual([]);
  });

  it("keys that pages name stand in the reference", () => {
    const reference = find(/^\| `([^`]+)` \|/gm, read("docs/reference/configuration.md"));
    const sections = sorted(reference.map((key) => key.split(".")[0] ?? ""));
    const patterns = reference.map(
      (key) =>
        new RegExp(
          `^${key.replaceAll("[]", "(?:\\[\\])?").replaceAll(".", "\\.").replaceAll(/<\w+>/g, "[\\w<>-]+")}$`,
        ),
    );
    /** Files of the state folder look like keys. */
    const files = ["channels.lock", "state.db", "state.lock", "state.pid"];
    const isKey = (code: string): boolean =>
      new RegExp(`^(?:${sections.join("|")})(?:\\.[a-z_<>[\\]]+)+$`).test(code);
    const isUnknown = (code: string): boolean =>
      !files.includes(code) && !patterns.some((pattern) => pattern.test(code));
    const named = ({ codes }: Page): string[] =>
      codes.map((code) => code.replace(/:(?: .*)?$/, "")).filter(isKey);
    expect(pages.flatMap(named).length).toBeGreaterThan(20);
    expect(ofAllPages((page) => named(page).filter(isUnknown))).toEqual([]);
  });
});

it("SECURITY.md names a test for each threat, and each of them exists", () => {
  const [, table = ""] = read("SECURITY.md").split("## Threats, and the test of each");
  const rows = table.split("\n").filter((line) => /^\| (?!an attacker)/.test(line));
  expect(rows.length).toBeGreaterThan(20);
  const missing = rows.flatMap((row) => {
    const named = [...row.matchAll(/\[[^\]]+\]\(([^)]+)\): “([^”]+)”/g)];
    if (named.length === 0) return [row];
    return named
      .filter(([, path = "", title = ""]) => {
        const source = existsSync(join(root, path)) ? read(path) : "";
        return !source.includes(`"${title}"`);
      })
      .map(([whole]) => whole);
  });
  expect(missing).toEqual([]);
});

it("every example has a page of its own and a line in the list", () => {
  const list = read("examples/README.md");
  const folders = globSync("examples/*", { cwd: root }).filter((path) =>
    statSync(join(root, path)).isDirectory(),
  );
  const names = folders
    .map((path) => relative("examples", path))
    .filter((name) => !name.startsWith("."));
  expect(names.filter((name) => !list.includes(`(${name})`))).toEqual([]);
  expect(names.filter((name) => !existsSync(join(root, "examples", name, "README.md")))).toEqual(
    [],
  );
});
