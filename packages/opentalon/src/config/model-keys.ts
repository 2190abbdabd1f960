import {
  choice,
  duration,
  flag,
  list,
  named,
  number,
  path,
  secret,
  secretItem,
  section,
  sectionAs,
  text,
  whole,
} from "./keys.ts";
import type { Tree, UnsetValue } from "./key.ts";

const model = section({
  about: "A model of the provider. A lone text is taken as its `id`.",
  textAs: "id",
  keys: {
    id: text({ about: "Name the provider knows the model by." }),
    name: text({ about: "Label for people." }),
    reasoning: flag({
      about: "Whether the model thinks before it answers. For information.",
      default: false,
    }),
    reasoning_effort: choice({
      about: "How long the model may think; the provider decides when absent.",
      words: ["", "low", "medium", "high"],
      default: "",
    }),
    features: list({
      about:
        "`tools`: call tools in the provider's own way; a list without it has them described in the prompt, no list at all counts as `tools`. `reasoning`: send reasoning options. `retry_tool_calls`: ask again when the model describes a call instead of making it.",
      item: text({ about: "" }),
    }),
    input: list({
      about: "Kinds of input the model takes (`text`, `image`, …). For information.",
      item: text({ about: "" }),
    }),
    context_window: whole({ about: "Tokens the model can read; 0 when unknown.", default: 0 }),
    max_tokens: whole({
      about: "Tokens the model may write in one answer; 0 leaves it to the provider.",
      default: 0,
    }),
    cost: section({
      about: "Prices, for the accounting.",
      keys: {
        input: number({ about: "US dollars for a million tokens read.", default: 0 }),
        output: number({ about: "US dollars for a million tokens written.", default: 0 }),
      },
    }),
  },
});

const provider = sectionAs(
  {
    about: "A service that runs models.",
    keys: {
      base_url: text({
        about: "Root of the service's API, with its version part.",
        expands: "braces",
        example: "https://api.deepseek.com/v1",
      }),
      api_key: secret({
        about:
          "The credential. When it is a variable that is not set, the provider is left out, so one file can name more providers than you have keys for.",
        expands: "braces",
      }),
      api_keys: list({
        about:
          "More credentials for the same service. They are used in turn, and one that is refused or used up rests.",
        item: secretItem({ about: "", expands: "braces" }),
      }),
      api: choice({
        about: "The language the service speaks.",
        words: ["openai-completions", "anthropic-messages"],
        default: "openai-completions",
        synonyms: { "": "openai-completions" },
      }),
      models: list({
        about: "The models to use. The first one is the provider's default.",
        item: model,
      }),
      retry: section({
        about:
          "How often a request is repeated when the service is busy or unreachable, before the next credential or model is tried.",
        keys: {
          max_attempts: whole({ about: "Attempts, the first one included.", default: 4, least: 1 }),
          base_delay: duration({
            about: "Pause after the first failure; it doubles each time.",
            default: "1s",
          }),
          max_delay: duration({ about: "Longest single pause.", default: "20s" }),
          max_total_wait: duration({
            about: "Longest time spent pausing for one request.",
            default: "30s",
          }),
        },
      }),
      unset_variable: text({ about: "", hidden: true }),
    },
    whenUnset: leaveOutUnset,
  },
  ({ apiKey, apiKeys, unsetVariable, ...rest }) => ({
    ...rest,
    /** All credentials, `api_key` first; empty for a service that asks for none. */
    apiKeys: apiKey === undefined ? apiKeys : [apiKey, ...apiKeys],
    /** Why the provider cannot be used; `undefined` when it can. */
    unconfigured: unsetVariable === "" ? undefined : { variable: unsetVariable },
  }),
);

export const models = section({
  about: "Where answers come from.",
  keys: {
    providers: named({
      about:
        "The services that run models. The name is yours; `provider/model` names one of its models everywhere else.",
      value: provider,
    }),
    catalog: named({
      about: "What the router should know of single models. Keys are `provider/model`.",
      value: section({
        about: "",
        keys: {
          alias: text({ about: "A short name for the model." }),
          weight: whole({
            about:
              "0 to 100. The model with the highest weight is tried first: give cheap models a high one.",
            default: 0,
          }),
        },
      }),
    }),
  },
});

export const routing = section({
  about: "Which model answers.",
  keys: {
    primary: text({
      about:
        "The main model as `provider/model`. When absent, the first provider that has a key is used, with its first model.",
      example: "deepseek/deepseek-chat",
    }),
    fallbacks: list({
      about: "Models to try, in this order, when the main one fails.",
      item: text({ about: "" }),
    }),
    pin: named({
      about:
        "The model for one kind of task: `general`, `chat`, `code`, `analysis`, `transform` or `deep_conversation`.",
      value: text({ about: "" }),
    }),
    affinity: section({
      about: "Learning which model people were content with, per kind of task.",
      keys: {
        enabled: flag({ about: "Switches learning on.", default: false }),
        store: path({ about: "File with what was learned; inside `state.data_dir` when absent." }),
        decay_days: whole({
          about: "Days after which a signal counts a quarter.",
          default: 30,
          least: 1,
        }),
      },
    }),
    health: section({
      about: "Probes of the main model. They run when there are fallbacks.",
      keys: {
        path: text({ about: "Path below `base_url` that is asked.", default: "/models" }),
        interval: duration({ about: "Time between two probes.", default: "10s" }),
        timeout: duration({ about: "Longest time a probe may take.", default: "3s" }),
        recover_after: whole({
          about: "Good probes in a row before a failed model is used again.",
          default: 3,
          least: 1,
        }),
      },
    }),
  },
});

export const auth = section({
  about: "Credentials that were refused.",
  keys: {
    cooldowns: section({
      about: "How long a credential rests after the service refused it.",
      keys: {
        initial: duration({ about: "Rest after the first refusal.", default: "1m" }),
        max: duration({ about: "Longest rest.", default: "1h" }),
        multiplier: number({
          about: "Factor by which the rest grows with each refusal.",
          default: 5,
        }),
        billing_max_hours: whole({
          about: "Hours a credential rests when its account has no credit.",
          default: 24,
        }),
      },
    }),
  },
});

// A provider whose key or address is not set is not an error: people share one file and own different keys.
function leaveOutUnset(tree: Tree, unset: readonly UnsetValue[]): void {
  for (const { key, index, variable } of unset) {
    if (key === "api_keys" && Array.isArray(tree[key]) && index !== undefined)
      tree[key][index] = undefined;
    else tree[key] = undefined;
    if (key === "base_url") tree["unset_variable"] = variable;
  }
  const keys = Array.isArray(tree["api_keys"])
    ? tree["api_keys"].filter((item) => item !== undefined)
    : [];
  if (tree["api_keys"] !== undefined) tree["api_keys"] = keys;
  if (tree["api_key"] === undefined && keys.length === 0)
    tree["unset_variable"] ??= unset[0]?.variable;
}
