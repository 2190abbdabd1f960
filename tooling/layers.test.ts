import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  folders,
  freeBuiltins,
  places,
  productSource,
  workspacePackages,
} from "../architecture.ts";

/** Violations planted in a tree of their own and linted with the rules of this checkout. */

const root = join(import.meta.dirname, "..");
const src = productSource;

interface Finding {
  readonly file: string;
  readonly rule: string;
  readonly message: string;
}

let tree = "";

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), "opentalon-layers-"));
});

afterAll(() => {
  rmSync(tree, { recursive: true, force: true });
});

/** Lints a tree made of `files` (path → code) and returns what the border rules say. */
function lint(name: string, files: Readonly<Record<string, string>>): Finding[] {
  const folder = join(tree, name);
  for (const [path, code] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), code);
  }
  const { stdout } = spawnSync(
    "oxlint",
    ["--config", join(root, "oxlint.config.ts"), "--format", "json"],
    {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: `${join(root, "node_modules/.bin")}:/usr/bin:/bin` },
    },
  );
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code?: string; filename: string; message: string }[];
  };
  return diagnostics
    .map(({ code = "", filename, message }) => ({ file: filename, rule: code, message }))
    .filter(({ rule }) => rule.startsWith("layers(") || rule === "import(no-cycle)");
}

/** One planted file: where, what, and what the linter has to say about it. */
type Plant = readonly [path: string, code: string, message: RegExp];

const importForms: Readonly<Record<string, string>> = {
  "a plain import": 'import { tool } from "../tools/tool.ts"; tool();',
  "an import for its effect": 'import "../tools/tool.ts";',
  "a type-only import":
    'import type { Tool } from "../tools/tool.ts"; export const tool: Tool = 1;',
  "an inline type import":
    'import { type Tool } from "../tools/tool.ts"; export const tool: Tool = 1;',
  "a re-export": 'export { tool } from "../tools/tool.ts";',
  "a re-export of everything": 'export * from "../tools/tool.ts";',
  "a type-only re-export": 'export type { Tool } from "../tools/tool.ts";',
  "a type-only re-export of everything": 'export type * from "../tools/tool.ts";',
  "a dynamic import": 'export const load = () => import("../tools/tool.ts");',
  "a dynamic import of a template": "export const load = () => import(`../tools/tool.ts`);",
  "typeof import": 'export type Module = typeof import("../tools/tool.ts");',
  "an import type": 'export type Tool = import("../tools/tool.ts").Tool;',
  require: 'export const tool = require("../tools/tool.ts");',
  "import equals": 'import tools = require("../tools/tool.ts"); tools();',
  "import.meta.resolve": 'export const path = import.meta.resolve("../tools/tool.ts");',
  "an augmented module": 'declare module "../tools/tool.ts" { interface Tool { x: 1 } }',
};

const plants: Readonly<Record<string, Plant>> = {
  "a folder above": [
    `${src}/base/up.ts`,
    'import "../domain/turn.ts";',
    /base may not import domain/,
  ],
  "a sibling stage": [
    `${src}/routing/sibling.ts`,
    'import "../providers/call.ts";',
    /routing may not import providers/,
  ],
  "the composition root": [
    `${src}/tools/root.ts`,
    'import "../opentalon.ts";',
    /tools may not import opentalon\.ts/,
  ],
  "a stage as a value in the orchestrator": [
    `${src}/orchestrator/value.ts`,
    'import { runAgent } from "../agent/run-agent.ts"; runAgent();',
    /as types only/,
  ],
  "a stage loaded late in the orchestrator": [
    `${src}/orchestrator/late.ts`,
    'export const load = () => import("../agent/run-agent.ts");',
    /as types only/,
  ],
  "a folder without a line": [
    `${src}/mystery/thing.ts`,
    'import "node:fs";',
    /mystery has no line in architecture\.ts/,
  ],
  "an import of a folder without a line": [
    `${src}/agent/mystery.ts`,
    'import "../mystery/thing.ts";',
    /mystery has no line/,
  ],
  "the product by its own name": [`${src}/agent/self.ts`, 'import "opentalon";', /by its path/],
  "another package by a path": [
    `${src}/plugins/path.ts`,
    'import "../../../protocol/src/index.ts";',
    /by its name/,
  ],
  "an absolute path": [`${src}/agent/absolute.ts`, 'import "/etc/thing.ts";', /by a relative path/],
  "an address": [
    `${src}/agent/address.ts`,
    'import "https://example.com/thing.ts";',
    /by a relative path/,
  ],
  "a subpath import": [`${src}/agent/subpath.ts`, 'import "#tools";', /by its path/],
  "a computed import": [
    `${src}/providers/computed.ts`,
    "export const load = (name: string) => import(name);",
    /literal path/,
  ],
  "a test helper in product code": [
    `${src}/agent/helper.ts`,
    'import "../store/testing/fake.ts";',
    /only tests load/,
  ],
  "a contract in product code": [
    `${src}/store/helper.ts`,
    'import "./store.contract.ts";',
    /only tests load/,
  ],
  "a test that reaches up": [
    `${src}/agent/up.test.ts`,
    'import "../cli/main.ts";',
    /do not reach up to cli/,
  ],

  "the logger outside base": [
    `${src}/agent/log.ts`,
    'import type { Logger } from "pino"; export type L = Logger;',
    /only base may/,
  ],
  "yaml outside config": [
    `${src}/channels/yaml.ts`,
    'import { parse } from "yaml"; parse("");',
    /only [\w/, ]*config[\w/, ]* may/,
  ],
  "zod outside config": [
    `${src}/tools/zod.ts`,
    'import { z } from "zod/v4"; z.string();',
    /only config may/,
  ],
  "a database driver outside store": [
    `${src}/inbound/pg.ts`,
    'import pg from "pg"; pg.Client;',
    /only store may/,
  ],
  "a query builder as a type": [
    `${src}/routing/kysely.ts`,
    'export type K = import("kysely").Kysely<unknown>;',
    /only store may/,
  ],
  "node:sqlite outside store": [
    `${src}/skills/sqlite.ts`,
    'import "node:sqlite";',
    /only store may/,
  ],
  "gRPC outside plugins": [
    `${src}/hooks/grpc.ts`,
    'import "@grpc/grpc-js";',
    /only .*plugins.* may/,
  ],
  "the protocol outside plugins": [
    `${src}/channels/protocol.ts`,
    'import "@opentalon/protocol";',
    /only /,
  ],
  "processes outside plugins": [
    `${src}/hooks/spawn.ts`,
    'import "node:child_process";',
    /only plugins, cli\/open-browser may/,
  ],
  "processes elsewhere in cli": [
    `${src}/cli/spawn.ts`,
    'import "node:child_process";',
    /only plugins, cli\/open-browser may/,
  ],
  "a model SDK outside providers": [
    `${src}/agent/sdk.ts`,
    'export const load = () => import("@ai-sdk/openai");',
    /only providers may/,
  ],
  "WebSockets outside channels and server": [
    `${src}/agent/ws.ts`,
    'import "ws";',
    /only channels, server may/,
  ],
  "hono outside server": [
    `${src}/observe/hono.ts`,
    'import { Hono } from "hono/tiny"; new Hono();',
    /only server may/,
  ],
  "commander outside cli": [`${src}/server/commander.ts`, 'import "commander";', /only cli may/],
  "readline in another channel": [
    `${src}/channels/webhook.ts`,
    'import "node:readline/promises";',
    /channels\/console/,
  ],
  "cron outside scheduler": [`${src}/agent/cron.ts`, 'import "croner";', /only scheduler may/],
  "a library without a line": [`${src}/agent/left-pad.ts`, 'import "left-pad";', /nobody may/],
  "a builtin without a line": [`${src}/agent/vm.ts`, 'import "node:vm";', /nobody may/],
  "a builtin without its prefix": [
    `${src}/agent/bare.ts`,
    'import "child_process";',
    /write node:child_process/,
  ],

  "process.env": [
    `${src}/agent/environment.ts`,
    "export const home = process.env.HOME;",
    /process\.env belongs to config and cli/,
  ],
  "process.env in brackets": [
    `${src}/agent/brackets.ts`,
    'export const home = process["env"];',
    /process\.env belongs to/,
  ],
  "process.env through globalThis": [
    `${src}/agent/global.ts`,
    "export const home = globalThis.process.env;",
    /process\.env belongs to/,
  ],
  "process taken apart": [
    `${src}/agent/apart.ts`,
    "export const { env } = process;",
    /name the member/,
  ],
  "process handed on": [
    `${src}/agent/handed.ts`,
    "export const everything = { process };",
    /name the member/,
  ],
  "process.exit": [`${src}/server/exit.ts`, "process.exit(1);", /process\.exit belongs to cli/],
  "process.argv in config": [
    `${src}/config/argv.ts`,
    "export const all = process.argv;",
    /process\.argv belongs to cli/,
  ],
  "process.getBuiltinModule": [
    `${src}/agent/builtin.ts`,
    'process.getBuiltinModule("fs");',
    /belongs to cli/,
  ],
  "node:process": [
    `${src}/agent/module.ts`,
    'import { env } from "node:process"; env.HOME;',
    /only cli may/,
  ],

  "the product in the SDK": [
    "packages/plugin-sdk/src/product.ts",
    'import type { Tool } from "opentalon"; export type T = Tool;',
    /may not import opentalon/,
  ],
  "the product's files in the SDK": [
    "packages/plugin-sdk/src/files.ts",
    'import "../../opentalon/src/opentalon.ts";',
    /stays in its package/,
  ],
  "the SDK in the protocol": [
    "packages/protocol/src/sdk.ts",
    'import "@opentalon/plugin-sdk";',
    /may not import @opentalon\/plugin-sdk/,
  ],
  "a library that calls itself testing in the SDK": [
    "packages/plugin-sdk/src/testing.ts",
    'import "left-pad/testing/pad.ts";',
    /may not use left-pad/,
  ],
  "a test helper in the SDK": [
    "packages/plugin-sdk/src/helper.ts",
    'import "./testing/fake.ts";',
    /only tests load/,
  ],
  "the product in a test of the SDK": [
    "packages/plugin-sdk/src/product.test.ts",
    'import "opentalon";',
    /may not import opentalon/,
  ],
  "process.env in the protocol": [
    "packages/protocol/src/environment.ts",
    "export const home = process.env.HOME;",
    /process\.env belongs to/,
  ],
  "a library in the SDK": ["packages/plugin-sdk/src/zod.ts", 'import "zod";', /may not use zod/],
  "the product in a plugin": [
    "plugins/hello/src/product.ts",
    'import "opentalon";',
    /may not import opentalon/,
  ],
  "another plugin": [
    "plugins/hello/src/other.ts",
    'import "../../other/src/main.ts";',
    /stays in its package/,
  ],
  "the product's files in e2e": [
    "e2e/inside.test.ts",
    `import "../${src}/opentalon.ts";`,
    /only for their test helpers/,
  ],
};

const clean: Readonly<Record<string, string>> = {
  [`${src}/base/clock.ts`]:
    'import { inspect } from "node:util"; import { pino } from "pino"; inspect(pino);',
  [`${src}/domain/turn.ts`]: 'import { clock } from "../base/clock.ts"; export const turn = clock;',
  [`${src}/config/load.ts`]:
    'import { parse } from "yaml"; import { z } from "zod"; export const c = [parse, z, process.env];',
  [`${src}/store/sqlite.ts`]:
    'import { DatabaseSync } from "node:sqlite"; import type { Kysely } from "kysely"; export type S = [DatabaseSync, Kysely<unknown>];',
  [`${src}/plugins/launch.ts`]:
    'import { spawn } from "node:child_process"; import "@opentalon/protocol"; export const kill = () => process.kill(-1), start = spawn;',
  [`${src}/plugins/supervise.ts`]:
    "export const stop = (process: { env: string }): string => process.env;",
  [`${src}/channels/console.ts`]: 'import "node:readline";',
  [`${src}/channels/console/lines.ts`]: 'import "node:readline/promises";',
  [`${src}/providers/load.ts`]: 'export const load = () => import("@ai-sdk/openai-compatible");',
  [`${src}/orchestrator/turn.ts`]:
    'import type { runAgent } from "../agent/run-agent.ts"; export type { Router } from "../routing/router.ts"; export type A = typeof runAgent | typeof import("../tools/tool.ts");',
  [`${src}/agent/run-agent.test.ts`]:
    'import { spawn } from "node:child_process"; import "../store/testing/fake.ts"; import "../tools/tool.ts"; import "vitest"; spawn("x", { env: process.env });',
  [`${src}/opentalon.ts`]:
    'import "./agent/run-agent.ts"; import "./config/load.ts"; import "./orchestrator/turn.ts";',
  [`${src}/opentalon.test.ts`]: 'import "./opentalon.ts"; import "./cli/main.ts";',
  [`${src}/server/door.ts`]:
    'import { Hono } from "hono"; import { createServer } from "node:http"; import "../opentalon.ts"; export const d = [Hono, createServer];',
  [`${src}/cli/main.ts`]:
    'import process from "node:process"; import { Command } from "commander"; import "../server/door.ts"; new Command().parse(process.argv);',
  "packages/protocol/src/index.ts": 'import "@bufbuild/protobuf"; import "./gen/x.ts";',
  "packages/protocol/src/index.test.ts":
    'import "vitest"; import "fast-check"; import "node:child_process"; export const e = process.env;',
  "packages/plugin-sdk/src/index.ts":
    'import "@opentalon/protocol"; import "@grpc/grpc-js"; export const e = process.env;',
  "plugins/hello/src/main.ts": 'import "@opentalon/plugin-sdk"; import "./other.ts";',
  "e2e/hello.test.ts":
    'import "./support/model-server.ts"; import "../packages/opentalon/src/store/testing/fake.ts";',
  "bench/x/main.ts": `import "../../${src}/opentalon.ts"; import "opentalon";`,
};

describe("the borders of architecture.ts", () => {
  it("let a tree pass that keeps them", () => {
    expect(lint("clean", clean)).toEqual([]);
  });

  it("hold against every form of import", () => {
    const entries = Object.entries(importForms);
    const findings = lint(
      "forms",
      Object.fromEntries(entries.map(([, code], index) => [`${src}/agent/form-${index}.ts`, code])),
    );
    const caught = entries.filter((_form, index) =>
      findings.some(
        ({ file, rule, message }) =>
          file.endsWith(`/form-${index}.ts`) &&
          rule === "layers(imports)" &&
          /agent may not import tools/.test(message),
      ),
    );
    expect(caught.map(([form]) => form)).toEqual(Object.keys(importForms));
  });

  it("hold in every folder, for every library and for process", () => {
    const findings = lint(
      "plants",
      Object.fromEntries(Object.values(plants).map(([path, code]) => [path, code])),
    );
    const caught = Object.entries(plants).filter(([, [path, , expected]]) =>
      findings.some(({ file, message }) => file.endsWith(path) && expected.test(message)),
    );
    expect(caught.map(([name]) => name)).toEqual(Object.keys(plants));
  });

  it("see a circle that consists of types only", () => {
    const findings = lint("circle", {
      [`${src}/agent/a.ts`]: 'import type { B } from "./b.ts"; export interface A { b: B }',
      [`${src}/agent/b.ts`]: 'import type { A } from "./a.ts"; export interface B { a: A }',
    });
    expect(findings.map(({ rule }) => rule)).toContain("import(no-cycle)");
  });
});

describe("architecture.ts", () => {
  it("lets stages import only what exists, and never in a circle", () => {
    const reach = (name: string, seen: ReadonlySet<string> = new Set()): void => {
      expect(Object.keys(folders)).toContain(name);
      expect([...seen], `${name} imports itself in the end`).not.toContain(name);
      for (const next of folders[name]?.imports ?? []) reach(next, new Set([...seen, name]));
    };
    for (const name of Object.keys(folders)) reach(name);
  });

  it("never lists a builtin as free and as guarded", () => {
    const guarded = Object.values(folders).flatMap(({ uses }) =>
      uses.map((use) => (typeof use === "string" ? use : use.name)),
    );
    expect(guarded.filter((name) => freeBuiltins.includes(name))).toEqual([]);
  });

  it("knows every package of the workspace by its name", () => {
    for (const [name, path] of Object.entries(workspacePackages)) {
      const { name: actual } = JSON.parse(
        readFileSync(join(root, path, "package.json"), "utf8"),
      ) as { name: string };
      expect(actual).toBe(name);
      expect(name === "opentalon" || path in places).toBe(true);
    }
  });

  it("has a line for every folder there is, and ARCHITECTURE.md shows each of them", () => {
    const isPresent = (name: string): boolean =>
      name.endsWith(".ts")
        ? !name.endsWith(".test.ts")
        : readdirSync(join(root, src, name)).length > 0;
    const present = readdirSync(join(root, src)).filter(isPresent);
    const page = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
    expect(present.filter((name) => folders[name] === undefined)).toEqual([]);
    expect(present.filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it("is switched off for no line of the product", () => {
    const { stdout } = spawnSync(
      "git",
      ["grep", "-lE", "(oxlint|eslint)-disable.*(layers/|no-cycle)", "--", "*.ts"],
      {
        cwd: root,
        encoding: "utf8",
      },
    );
    expect(
      stdout.split("\n").filter((file) => file !== "" && !file.startsWith("tooling/")),
    ).toEqual([]);
  });
});
