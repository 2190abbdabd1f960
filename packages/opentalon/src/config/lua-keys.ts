import { flag, list, named, path, section, text, whole } from "./keys.ts";

const reference = "Branch, tag or whole commit; the repository's default branch when absent.";

const settings = {
  scripts_dir: path({
    about: "Directory of scripts; `<name>.lua` is used as `lua:<name>`.",
    expands: "braces",
  }),
  watch: flag({ about: "A script that was saved is used by the next message.", default: true }),
  default_model: text({
    about:
      "Model that `ctx.llm` asks when the script names none: a name or alias; routing decides when absent.",
  }),
  limits: section({
    about: "Bounds of one call of a script.",
    keys: {
      memory_mb: whole({
        about: "Memory in MiB. The interpreter begins with 16, so less means 16.",
        default: 64,
        least: 1,
      }),
      timeout_seconds: whole({
        about: "Time in seconds, without waiting for models.",
        default: 5,
        least: 1,
      }),
      llm_timeout_seconds: whole({
        about: "Time in seconds for one `ctx.llm`.",
        default: 10,
        least: 1,
      }),
      llm_max_calls: whole({ about: "Calls of `ctx.llm`.", default: 3 }),
    },
  }),
  environment: list({
    about: "Names of the environment variables that `os.getenv` shows to scripts; no other is set.",
    item: text({ about: "" }),
  }),
  scripts: named({
    about: "Settings of single scripts.",
    value: section({
      about: "",
      keys: {
        insecure: flag({
          about:
            "Only a script with `insecure: false` may have tools run by its answer to a message (`invoke`).",
          default: true,
        }),
      },
    }),
  }),
};

/** `plugins.lua`: the settings of scripts, as older files write them. */
export const pluginLua = section({
  about: "Settings for Lua scripts; those below `lua` count where both are given.",
  keys: settings,
});

export const lua = section({
  about: "Lua scripts for preparers and formatters.",
  keys: {
    ...settings,
    plugins: list({
      about:
        "Scripts to fetch, pinned in `lua_plugins.lock`: names, or maps for those from other repositories.",
      item: section({
        about: "",
        textAs: "name",
        keys: {
          name: text({ about: "Its name." }),
          github: text({
            about:
              "Repository that has it as `<name>.lua`: `owner/name` on GitHub, a URL of https or ssh, or a path. The default one when absent.",
          }),
          ref: text({ about: reference }),
        },
      }),
    }),
    default_github: text({
      about: "Repository that has scripts as `<name>/<name>.lua`; written like `github`.",
      expands: "braces",
    }),
    default_ref: text({ about: reference, expands: "braces" }),
  },
});

type Lua = ReturnType<typeof lua.fallback>;

/** One set of settings out of both places: what `lua` leaves at its default is taken from `plugins.lua`. */
export function mergeLua(own: Lua, older: ReturnType<typeof pluginLua.fallback>): Lua {
  const defaults = lua.fallback();
  const isGiven = <Value>(value: Value, absent: Value): boolean =>
    JSON.stringify(value) !== JSON.stringify(absent);
  const pick = <Name extends keyof typeof older>(name: Name): (typeof older)[Name] =>
    isGiven(own[name], defaults[name]) ? own[name] : older[name];
  const limit = (name: keyof typeof older.limits): number =>
    own.limits[name] === defaults.limits[name] ? older.limits[name] : own.limits[name];
  return {
    ...own,
    scriptsDir: pick("scriptsDir"),
    watch: pick("watch"),
    defaultModel: pick("defaultModel"),
    environment: pick("environment"),
    scripts: { ...older.scripts, ...own.scripts },
    limits: {
      memoryMb: limit("memoryMb"),
      timeoutSeconds: limit("timeoutSeconds"),
      llmTimeoutSeconds: limit("llmTimeoutSeconds"),
      llmMaxCalls: limit("llmMaxCalls"),
    },
  };
}
