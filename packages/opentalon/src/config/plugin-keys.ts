import {
  choice,
  duration,
  flag,
  list,
  named,
  namedWithSettings,
  opaque,
  optionalDuration,
  optionalWhole,
  path,
  secret,
  section,
  sectionAs,
  text,
  whole,
} from "./keys.ts";
import { pluginLua } from "./lua-keys.ts";
import { contentPreparer } from "./preparer-keys.ts";
import { environment, program, toProgram, toVariables } from "./program-keys.ts";

const repository =
  "GitHub repository as `owner/name`, or the address or absolute path of a Git repository. It is fetched and built once, then locked.";
const reference = "Branch, tag or commit; the default branch when absent.";

const limitWords = {
  memory: "Memory of all its processes together, in MiB.",
  processor: "Processor time of all its processes together in seconds, over its whole life.",
  processes: "Processes and threads, all together.",
  openFiles: "Open files and connections of one process.",
  disk: "What its own folders may hold, and the largest file it may write, in MiB.",
};

const limits = section({
  about:
    "Bounds of the program; those of `plugins.tools.limits` when absent. It is ended when it breaks one, and started again.",
  keys: {
    memory_mb: optionalWhole({ about: limitWords.memory, least: 1 }),
    cpu_seconds: optionalWhole({ about: limitWords.processor, least: 1 }),
    processes: optionalWhole({ about: limitWords.processes, least: 1 }),
    open_files: optionalWhole({ about: limitWords.openFiles, least: 1 }),
    disk_mb: optionalWhole({ about: limitWords.disk, least: 1 }),
  },
});

const defaultLimits = section({
  about: "Bounds of every program, also of those that answer for models.",
  keys: {
    memory_mb: whole({ about: limitWords.memory, default: 1_024, least: 1 }),
    cpu_seconds: optionalWhole({
      about: `${limitWords.processor} Not bounded when absent.`,
      least: 1,
    }),
    processes: whole({ about: limitWords.processes, default: 256, least: 1 }),
    open_files: whole({ about: limitWords.openFiles, default: 4_096, least: 1 }),
    disk_mb: whole({ about: limitWords.disk, default: 1_024, least: 1 }),
  },
});

const tls = section({
  about: "Certificates for one at `grpcs://`; those of the system when absent.",
  keys: {
    ca: path({ about: "File with the authorities that may have signed its certificate." }),
    cert: path({ about: "File with our own certificate." }),
    key: path({ about: "File with the key of our own certificate." }),
    server_name: text({
      about: "Name in its certificate, when it is not that of the address.",
    }),
  },
});

export const plugin = sectionAs(
  {
    about: "A program that offers tools.",
    keys: {
      enabled: flag({ about: "Switches the plugin on.", default: false }),
      plugin: program({
        about:
          "What to run: the path of a program, a list of a program and its arguments, a folder with sources, the name of a plugin that comes with OpenTalon, or `grpc://host:port` (`grpcs://` with TLS) for one that runs elsewhere.",
        formerly: ["path"],
      }),
      github: text({ about: repository }),
      ref: text({ about: reference }),
      cache: flag({
        about: "Use what was built before. Locked builds are always used again.",
        default: false,
      }),
      insecure: flag({
        about:
          "Only a plugin with `insecure: false` may have other tools run by its answer to a message, have tools for people run in the middle of a call, and say for whom.",
        default: true,
      }),
      bundle: list({
        about: "Plugins that are compiled into this one.",
        item: section({
          about: "",
          keys: {
            name: text({ about: "Name of the plugin." }),
            github: text({ about: repository }),
            ref: text({ about: reference }),
            store: flag({ about: "The plugin stores data.", default: false }),
          },
        }),
      }),
      config: opaque({ about: "Settings of the plugin, handed to it as they are." }),
      db_access: flag({
        about:
          "Tell the plugin how to reach the state database. It can read every conversation then.",
        default: false,
      }),
      dial_timeout: duration({
        about:
          "How long the plugin may take to introduce itself, once it has said where it listens; for that it has 60 seconds.",
        default: "5s",
      }),
      expose_http: flag({
        about:
          "Pass HTTP requests below `/<name>/` on to the plugin's own web server, for callers the HTTP door lets in. Needs `http_port`.",
        default: false,
      }),
      http_port: whole({
        about:
          "Port the plugin should serve HTTP on, at 127.0.0.1. The plugin reads it from `OPENTALON_HTTP_PORT`.",
        default: 0,
      }),
      grpc_port: whole({ about: "Port on which other programs may call the plugin.", default: 0 }),
      env: environment({
        about:
          "Environment of the program. It gets nothing of the host's own environment but what is listed here.",
      }),
      limits,
      sandbox: choice({
        about:
          "`strict` runs the program, on Linux, in namespaces of its own: the system can only be read, `/tmp` and the own folder are private, and there is no network. Needs bubblewrap.",
        words: ["off", "strict"],
        default: "off",
      }),
      network: flag({
        about: "Leaves a program in a strict sandbox the network.",
        default: false,
      }),
      token: secret({
        about:
          "Credential for a plugin that runs elsewhere, sent as `authorization: Bearer <token>` with every call.",
        expands: "braces",
      }),
      tls,
      timeout: optionalDuration({
        about:
          "How long one call of a tool may take; `plugins.tools.defaults.timeout` when absent. `plugins.tools.overrides` sets it for single actions.",
      }),
    },
  },
  (written) => ({ ...written, ...toProgram(written) }),
);

export const plugins = namedWithSettings({
  about:
    "Programs that offer tools, by the name you give them. `tools` and `lua` are reserved for settings of all.",
  value: plugin,
  settings: {
    tools: section({
      about: "Settings for all plugins.",
      keys: {
        plugin_dir: path({
          about:
            "Directory whose programs are run as plugins: each executable file, and each folder with one of its name. An entry of the same name below `plugins:` goes before.",
        }),
        health_check_interval: duration({
          about: "Time between two checks that a plugin still answers; 0 is never.",
          default: "30s",
        }),
        restart_on_failure: flag({
          about: "Start a plugin again that ended or hangs.",
          default: true,
        }),
        max_restarts: whole({
          about: "Restarts in a row before it stays stopped; 0 is no limit.",
          default: 0,
        }),
        refresh_interval: duration({
          about:
            "Time between two questions to a plugin whether its actions have changed; 0 is never.",
          default: "15m",
        }),
        build_timeout: duration({
          about: "How long building a fetched plugin or channel may take.",
          default: "10m",
        }),
        limits: defaultLimits,
        defaults: section({
          about: "Bounds of a call.",
          keys: {
            timeout: optionalDuration({
              about: "Longest time of one call; `agent.tool_timeout` when absent.",
            }),
            max_response_bytes: whole({
              about:
                "Longest content, structured content and error text of an answer, each; what is longer is cut, and says so.",
              default: 65_536,
              least: 1,
            }),
          },
        }),
        overrides: named({
          about:
            "Exceptions, by the name of a plugin as it stands below `plugins:`, or by plugin and action, as in `jira__export`.",
          value: section({
            about: "",
            keys: {
              timeout: optionalDuration({
                about: "Longest time of one call; goes before `plugins.<name>.timeout`.",
              }),
            },
          }),
        }),
      },
    }),
    lua: pluginLua,
  },
});

export const channels = named({
  about: "Connections to messaging platforms, by the name you give them.",
  value: sectionAs(
    {
      about: "",
      keys: {
        enabled: flag({ about: "Switches the channel on.", default: false }),
        plugin: {
          ...text({
            about:
              "What to connect: `console`, `webchat`, a platform that comes along (`slack`, `slack-events`, `telegram`, `telegram-webhook`, `msteams`, `whatsapp`, `discord`, `matrix`, `email`), the path of a program, a folder with sources, the path of a `.yaml` definition, or an address that begins with `grpc://` (`grpcs://` with TLS), `docker://`, `https://` or `wss://`; `ws://inbound` waits for the other side to connect.",
            expands: "braces",
            formerly: ["path"],
          }),
          path: "channel",
        },
        github: text({ about: repository, expands: "braces" }),
        ref: text({ about: reference, expands: "braces" }),
        cache: flag({
          about: "Use what was built before. Locked builds are always used again.",
          default: false,
        }),
        config: opaque({ about: "Settings of the channel, handed to it as they are." }),
        env: environment({
          about:
            "Environment of a channel that is a program or a container. It gets nothing of the host's own environment but what is listed here.",
        }),
        limits,
        sandbox: choice({
          about:
            "`strict` runs the program of the channel, on Linux, in namespaces of its own: the system can only be read, `/tmp` and the own folder are private. Needs bubblewrap.",
          words: ["off", "strict"],
          default: "off",
        }),
        network: flag({
          about: "Leaves a program in a strict sandbox, and a container, the network.",
          default: true,
        }),
        token: secret({
          about:
            "Credential for a channel that runs elsewhere, sent as `authorization: Bearer <token>` with every call.",
          expands: "braces",
        }),
        tls,
        access: section({
          about:
            "Who may talk. In groups the person counts who writes, not the group. The console is always open: the operator sits there.",
          keys: {
            policy: choice({
              about:
                "`pairing`: a stranger gets a code, and talks once the operator or an approver has approved it. `allowlist`: only those in `allow`; others are ignored. `open`: everybody. `closed`: nobody. When absent: `open` for webhooks, WebSockets and `webchat`, whose other side knows its people or asks for a token; `pairing` for all others.",
              words: ["", "pairing", "allowlist", "open", "closed"],
              default: "",
            }),
            allow: list({
              about:
                "Who may talk without a code: identifiers of the platform, alone or as `<channel>:<sender>`.",
              item: text({ about: "", expands: "braces" }),
            }),
            approvers: list({
              about:
                "Who may approve codes of this channel with `/approve` in a conversation, as `<channel>:<sender>`. The operator at the console always may. They may talk, too.",
              item: text({ about: "", expands: "braces" }),
            }),
          },
        }),
        rate_limit: section({
          about: "How much one sender may write. It does not count at the console.",
          keys: {
            messages: optionalWhole({
              about:
                "Messages of one sender in the time of `per`; what is more is not read, which is said once. 0 is no limit. When absent: no limit for webhooks, WebSockets and `webchat`, 60 for all others.",
            }),
            per: duration({ about: "The time the messages are counted in.", default: "1m" }),
          },
        }),
        sessions: choice({
          about:
            "`conversation`: all who talk in a conversation share what is remembered of it. `sender`: each has a session of their own.",
          words: ["conversation", "sender"],
          default: "conversation",
        }),
        content_preparers: list({
          about:
            "Steps for messages of this channel, as in `orchestrator.content_preparers` and before those.",
          item: contentPreparer,
        }),
        unset_variables: text({ about: "", hidden: true }),
      },
      // One that lacks a variable keeps only itself from running.
      whenUnset: (tree, unset) => {
        const names = new Set(unset.map(({ variable }) => variable));
        tree["unset_variables"] = [...names].join(", ");
      },
    },
    ({ env, ...written }) => ({ ...written, env: toVariables(env) }),
  ),
});
