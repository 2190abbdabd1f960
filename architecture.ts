/**
 * Which folder may import which, as data. The linter enforces it (`tooling/layers-plugin.ts`), a test compares the
 * documentation with it, and a newcomer reads it top to bottom: a message meets the folders in this order.
 *
 * What the rules see: `import`, `import type`, `export … from`, `import()`, `typeof import("…")`, `require`. A type is
 * a coupling like any other, except where a folder says `types`.
 */

/** Use of a library or of a builtin of Node that is not free for everyone. */
export type Use =
  | string
  /** Only in files whose path inside the folder starts with `within`. */
  | { readonly name: string; readonly within: string };

export interface Folder {
  /** One line for a newcomer. */
  readonly holds: string;
  /** Folders (or root files) it may import, besides itself. */
  readonly imports: readonly string[];
  /** Folders it may import as types only, so that nothing of them is loaded. */
  readonly types?: readonly string[];
  /** Libraries and guarded builtins it may use. Nobody else may, unless it lists them too. */
  readonly uses: readonly Use[];
  /** Members of `process` beyond `freeProcessMembers`; `"all"` also permits importing `node:process`. */
  readonly process?: "all" | readonly string[];
}

/** The folders of `packages/opentalon/src`, in the order a message meets them. A file that lies directly in `src` stands here under its own name. */
export const folders: Readonly<Record<string, Folder>> = {
  base: {
    holds: "clock, backoff, duration, errors, keyed queue, secret, log",
    imports: [],
    uses: ["pino", "node:net"],
  },
  domain: {
    holds: "the nouns, one file each: message, session, turn, tool, model, actor, usage",
    imports: ["base"],
    uses: [],
  },
  config: {
    holds: "the configuration: schema, load, expand variables, environment",
    imports: ["base", "domain"],
    uses: ["yaml", "zod"],
    process: ["cwd", "env"],
  },
  observe: {
    holds: "metrics, turn events, health",
    imports: ["base", "domain"],
    uses: ["prom-client", "@opentelemetry/*", "node:v8"],
  },
  store: {
    holds: "durable state: the ports, SQLite and PostgreSQL adapters, migrations",
    imports: ["base", "domain"],
    uses: ["kysely", "pg", "graphile-worker", "node:sqlite"],
  },
  plugins: {
    holds:
      "plugin processes: launch, handshake, supervise, sandbox, clients for both wire generations; sources from git, how they are built, and their lock files",
    imports: ["base", "domain"],
    uses: [
      "@opentalon/protocol",
      "@bufbuild/protobuf",
      "@grpc/grpc-js",
      "node:child_process",
      "node:net",
      "node:tls",
      { name: "node:http", within: "plugin-web-route" },
      // For the lock files.
      { name: "yaml", within: "sources/" },
    ],
  },
  channels: {
    holds: "one transport to a platform per file; reply splitting",
    imports: ["base", "domain", "plugins"],
    uses: [
      "ws",
      { name: "@opentalon/protocol", within: "process/" },
      { name: "@bufbuild/protobuf", within: "process/" },
      { name: "@grpc/grpc-js", within: "process/" },
      { name: "dockerode", within: "process/docker/" },
      "node:http",
      "node:https",
      "node:net",
      { name: "node:readline", within: "console" },
      // For answers in the words of platforms.
      { name: "marked", within: "format/" },
      // For the definitions of channels.
      { name: "yaml", within: "yaml/" },
      // For answers in the words of a platform.
      { name: "marked", within: "format/" },
    ],
  },
  inbound: {
    holds: "the way in: accept, deduplicate, debounce, actor, permission, commands",
    imports: ["base", "domain", "store"],
    uses: [],
  },
  hooks: {
    holds: "preparers, guards and formatters around a turn; the Lua engine",
    imports: ["base", "domain", "plugins"],
    uses: [
      { name: "wasmoon", within: "lua/" },
      { name: "node:worker_threads", within: "lua/" },
    ],
  },
  routing: {
    holds: "which model answers: classify, rank, affinity, rejection signals, pins",
    imports: ["base", "domain", "store"],
    uses: [],
  },
  providers: {
    holds: "model adapters, credentials, failover, retry, pricing",
    imports: ["base", "domain", "plugins", "store"],
    uses: [
      "@ai-sdk/*",
      "eventsource-parser",
      "node:http",
      "node:https",
      { name: "oauth4webapi", within: "oauth/" },
    ],
  },
  agent: {
    holds: "the loop, prompt building, history budget, safety rules",
    imports: ["base", "domain"],
    uses: [],
  },
  tools: {
    holds: "the registry, one call from validation to guard",
    imports: ["base", "domain", "plugins"],
    uses: ["ajv"],
  },
  skills: {
    holds: "SKILL.md, request packages, templates",
    imports: ["base", "domain"],
    uses: [],
  },
  scheduler: {
    holds: "schedules, runs, policy, job tools",
    imports: ["base", "domain", "store"],
    uses: ["croner"],
  },
  orchestrator: {
    holds: "the order of a turn, the queue of sessions, words for errors",
    imports: ["base", "domain"],
    types: [
      "observe",
      "store",
      "plugins",
      "channels",
      "inbound",
      "hooks",
      "routing",
      "providers",
      "agent",
      "tools",
      "skills",
      "scheduler",
    ],
    uses: [],
  },
  assembly: {
    holds: "how the configuration becomes parts: one file for each group of parts the root joins",
    imports: [
      "base",
      "domain",
      "config",
      "observe",
      "store",
      "plugins",
      "channels",
      "inbound",
      "hooks",
      "routing",
      "providers",
      "agent",
      "tools",
      "skills",
      "scheduler",
      "orchestrator",
    ],
    uses: [],
  },
  "opentalon.ts": {
    holds: "the composition root: builds the parts and joins them",
    imports: [
      "base",
      "domain",
      "config",
      "observe",
      "store",
      "plugins",
      "channels",
      "inbound",
      "hooks",
      "routing",
      "providers",
      "agent",
      "tools",
      "skills",
      "scheduler",
      "orchestrator",
      "assembly",
    ],
    uses: [],
  },
  server: {
    holds: "the HTTP door: health, metrics, webhooks, admin API, console",
    imports: ["base", "domain", "observe", "opentalon.ts"],
    uses: [
      "hono",
      "ws",
      "node:http",
      "node:https",
      "node:net",
      { name: "@modelcontextprotocol/server", within: "mcp/" },
    ],
  },
  cli: {
    holds: "commands, the terminal, signals",
    imports: ["base", "domain", "config", "server", "opentalon.ts"],
    uses: [
      "commander",
      "@clack/prompts",
      "node:readline",
      "node:tty",
      "node:module",
      "node:process",
      { name: "node:child_process", within: "open-browser" },
      // Its testing kit only, loaded by the command.
      { name: "@opentalon/plugin-sdk", within: "plugin-test-command" },
    ],
    process: "all",
  },
};

/** Builtins of Node every folder may use. Any other needs a line under `uses`. */
export const freeBuiltins: readonly string[] = [
  "node:assert",
  "node:async_hooks",
  "node:buffer",
  "node:crypto",
  "node:dns",
  "node:events",
  "node:fs",
  "node:os",
  "node:path",
  "node:perf_hooks",
  "node:querystring",
  "node:stream",
  "node:string_decoder",
  "node:timers",
  "node:url",
  "node:util",
  "node:zlib",
];

/**
 * Members of the global `process` every folder may use. Environment, arguments, streams, signals and exit belong to the
 * command line, which hands in what the others need.
 */
export const freeProcessMembers: readonly string[] = [
  "arch",
  "emitWarning",
  "execPath",
  "getegid",
  "geteuid",
  "getgid",
  "getuid",
  "hrtime",
  "kill",
  "memoryUsage",
  "nextTick",
  "pid",
  "platform",
  "ppid",
  "uptime",
  "version",
  "versions",
];

/**
 * Files that only tests load: `x.test.ts`, `x.contract.ts`, everything under `testing/`. Their fakes are real servers and
 * real processes, so they may use any library, builtin and member of `process`, and import any folder; only what stands
 * above all stages stays out of reach of the tests of a stage. Product code never imports them.
 */
export const testFiles = {
  pattern: /(?:\.(?:test|contract)\.ts$|(?:^|\/)testing\/)/,
  /** Only tests that lie in one of these may import one of these. */
  above: ["assembly", "opentalon.ts", "server", "cli"],
} as const;

export interface Place {
  readonly holds: string;
  /** Workspace packages it may import. */
  readonly packages: readonly string[];
  /** Other libraries it may import; `"any"` for what only developers run. */
  readonly libraries: "any" | readonly string[];
  /** How far a relative import may reach: its own package, the test helpers of others too, or all of the checkout. */
  readonly reach: "package" | "test helpers" | "checkout";
  /** Whether it may use every builtin of Node and every member of `process`. */
  readonly node: boolean;
}

/**
 * Everything beside the product, by path from the root; the longest match counts. A new package needs a different
 * consumer or a different runtime; otherwise it is a folder above.
 */
export const places: Readonly<Record<string, Place>> = {
  "packages/protocol": {
    holds: "generated messages, the handshake, framing of both wire generations",
    packages: [],
    libraries: ["@bufbuild/protobuf", "@grpc/grpc-js"],
    reach: "package",
    node: false,
  },
  "packages/plugin-sdk": {
    holds: "what authors of plugins write against; never the product itself",
    packages: ["@opentalon/protocol"],
    libraries: ["@bufbuild/protobuf", "@grpc/grpc-js", "@standard-schema/spec"],
    reach: "package",
    node: true,
  },
  plugins: {
    holds: "first-party plugins, each a process of its own",
    packages: ["@opentalon/plugin-sdk"],
    libraries: "any",
    reach: "package",
    node: true,
  },
  channels: {
    holds:
      "first-party channels: definitions of platforms, and processes where a definition is not enough",
    packages: ["@opentalon/plugin-sdk"],
    libraries: "any",
    reach: "test helpers",
    node: true,
  },
  examples: {
    holds: "one file per promise of the README, each runs",
    packages: ["@opentalon/plugin-sdk", "opentalon"],
    libraries: "any",
    reach: "package",
    node: true,
  },
  e2e: {
    holds: "black-box tests: the built command line, real processes, a fake model server",
    packages: ["@opentalon/plugin-sdk", "@opentalon/protocol"],
    libraries: "any",
    reach: "test helpers",
    node: true,
  },
  bench: {
    holds: "benchmarks, each prints one table",
    packages: ["@opentalon/plugin-sdk", "@opentalon/protocol", "opentalon"],
    libraries: "any",
    reach: "checkout",
    node: true,
  },
  tooling: {
    holds: "scripts that lint, build, generate and guard the tests",
    packages: ["@opentalon/plugin-sdk", "@opentalon/protocol", "opentalon"],
    libraries: "any",
    reach: "checkout",
    node: true,
  },
};

/** Where the folders of the product lie. */
export const productSource = "packages/opentalon/src";

/** The packages of the workspace: by name, where they lie. */
export const workspacePackages: Readonly<Record<string, string>> = {
  opentalon: "packages/opentalon",
  "@opentalon/protocol": "packages/protocol",
  "@opentalon/plugin-sdk": "packages/plugin-sdk",
};
