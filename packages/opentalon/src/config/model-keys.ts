import {
  choice,
  duration,
  flag,
  list,
  named,
  number,
  opaque,
  optionalNumber,
  optionalWhole,
  path,
  secret,
  secretItem,
  section,
  sectionAs,
  text,
  whole,
} from "./keys.ts";
import type { Environment } from "./expand-variables.ts";
import type { Tree, UnsetValue } from "./key.ts";
import { oauth } from "./oauth-keys.ts";
import { environment, program, toProgram } from "./program-keys.ts";

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
      words: ["", "minimal", "low", "medium", "high"],
      default: "",
    }),
    features: list({
      about:
        "`tools`: call tools in the provider's own way; a list without it has them described in the prompt, no list at all counts as `tools`. `reasoning`: send reasoning options. `retry_tool_calls`: ask again when the model describes a call instead of making it.",
      item: text({ about: "" }),
    }),
    input: list({
      about:
        "Kinds of input the model takes: `text`, `image`, `pdf`, `audio`. Files of other kinds are not sent to it. What is known of the model when absent.",
      item: text({ about: "" }),
    }),
    context_window: optionalWhole({
      about: "Tokens the model can read; 0 when unknown. What is known of the model when absent.",
    }),
    max_tokens: optionalWhole({
      about: "Tokens the model may write in one answer; 0 or absent leaves it to the provider.",
    }),
    cost: section({
      about:
        "Prices, for the accounting and for choosing models. Where they are absent, those of a well-known model are known.",
      keys: {
        input: optionalNumber({ about: "US dollars for a million tokens read." }),
        output: optionalNumber({ about: "US dollars for a million tokens written." }),
        cached_input: optionalNumber({
          about:
            "US dollars for a million tokens read from the provider's prompt cache; `input` when only that is given.",
        }),
        cache_write: optionalNumber({
          about:
            "US dollars for a million tokens written into that cache, where the provider bills them apart; `input` when only that is given.",
        }),
      },
    }),
  },
});

const provider = sectionAs(
  {
    about: "A service that runs models.",
    keys: {
      base_url: text({
        about:
          "Root of the service's API, with its version part. Services with a well-known name are found without: `openai`, `anthropic`, `google`, `mistral`, `groq`, `deepseek`, `xai`, `openrouter`, `together`, `cohere`, `bedrock`, `vertex`, and `ollama`, `vllm`, `lmstudio` on this machine.",
        expands: "braces",
        example: "https://api.deepseek.com/v1",
      }),
      api_key: secret({
        about:
          "The credential. When it is a variable that is not set, the provider is left out, so one file can name more providers than you have keys for. `${NAME}` also takes the variables `NAME_1`, `NAME_2` and so on, up to the first that is missing.",
        expands: "braces",
      }),
      api_keys: list({
        about:
          "More credentials for the same service. They are used in turn, and one that is refused or used up rests.",
        item: secretItem({ about: "", expands: "braces" }),
      }),
      api: choice({
        about:
          "The language the service speaks: OpenAI's chat completions, as most services do, OpenAI's responses, Anthropic's messages, Google's Gemini API, the same on Vertex AI, or Amazon Bedrock's Converse. When absent, a well-known name without `base_url` speaks its own, everything else chat completions.",
        words: [
          "",
          "openai-completions",
          "openai-responses",
          "anthropic-messages",
          "google-generative-ai",
          "google-vertex",
          "bedrock-converse",
        ],
        default: "",
      }),
      plugin: program({
        about:
          "In place of `base_url` and `api`: a program of your own that answers for the models. Its path, a list of a program and its arguments, or `grpc://host:port` for one that runs elsewhere. The credential travels with each request.",
      }),
      env: environment({
        about:
          "Environment of the program. It gets nothing of the host's own environment but what is listed here.",
      }),
      config: opaque({ about: "Settings of the program, handed to it as they are." }),
      dial_timeout: duration({
        about:
          "How long the program may take to introduce itself, once it has said where it listens; for that it has 60 seconds.",
        default: "5s",
      }),
      models: list({
        about:
          "The models to use. The first one is the provider's default. A program is asked for its models when none are listed; of those that are, it may know more.",
        item: model,
      }),
      retry: section({
        about:
          "Patience with a service that is busy or unreachable. Other credentials and models are tried first, at once; when none of them answers, this one is asked again after a pause.",
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
      oauth,
      region: text({
        about: "Amazon Bedrock: the region whose models are used.",
        expands: "braces",
        example: "eu-central-1",
      }),
      access_key_id: secret({
        about: "Amazon Bedrock: an access key in place of `api_key`, with `secret_access_key`.",
        expands: "braces",
      }),
      secret_access_key: secret({ about: "Belongs to `access_key_id`.", expands: "braces" }),
      session_token: secret({
        about: "Belongs to an `access_key_id` that is only lent.",
        expands: "braces",
      }),
      project: text({ about: "Vertex AI: the Google Cloud project.", expands: "braces" }),
      location: text({
        about: "Vertex AI: where the models run; `global` when absent.",
        expands: "braces",
        example: "europe-west4",
      }),
      credentials_file: path({
        about: "Vertex AI: the JSON file of a service account, in place of `api_key`.",
        expands: "braces",
      }),
      unset_variable: text({ about: "", hidden: true }),
      numbered_keys: list({ about: "", item: secretItem({ about: "" }), hidden: true }),
    },
    whenUnset: leaveOutUnset,
    whenRead: addNumberedKeys,
  },
  ({ apiKey, apiKeys, numberedKeys, unsetVariable, ...rest }) => ({
    ...rest,
    ...toProgram(rest),
    /** All credentials, `api_key` first, those of numbered variables last; empty for a service that asks for none. */
    apiKeys: [...(apiKey === undefined ? [] : [apiKey]), ...apiKeys, ...numberedKeys],
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
              "0 to 100. Routing chooses among the models that have a weight. Give cheap models a high one and strong models a low one: until something is learnt the highest is asked first, and after a rejected answer mostly a lower one.",
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
        "The main model as `provider/model`. When absent, the first provider that has a key is used, with its first model. Where models have weights, these choose, and the main model steps in when the chosen one fails.",
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
      about:
        "Learning which model is good enough for what, from what people say about its answers. It needs two models with a weight.",
      keys: {
        enabled: flag({
          about: "Without it the weights alone decide.",
          default: true,
        }),
        store: path({ about: "File with what was learned; it is in the database instead." }),
        decay_days: whole({
          about: "Days after which a signal counts a quarter.",
          default: 30,
          least: 1,
        }),
      },
    }),
    health: section({
      about:
        "A model that could not be reached, broke off or was overloaded comes behind the others, and its service is probed until it is back. While all is well nothing is probed.",
      keys: {
        path: text({
          about:
            "Path below `base_url` that is asked. Any answer with a status below 500 is a good one.",
          default: "/models",
        }),
        interval: duration({ about: "Time between two probes.", default: "10s" }),
        timeout: duration({ about: "Longest time a probe may take.", default: "3s" }),
        recover_after: whole({
          about: "Good probes in a row after which a failed model has its place again.",
          default: 3,
          least: 1,
        }),
      },
    }),
  },
});

export const auth = section({
  about: "Which credential of a service is used, and how long one rests that was refused.",
  keys: {
    cooldowns: section({
      about: "How long a credential rests after the service refused it.",
      keys: {
        initial: duration({
          about: "Rest after the first refusal, unless the service says how long.",
          default: "1m",
        }),
        max: duration({ about: "Longest rest.", default: "1h" }),
        multiplier: number({
          about: "Factor by which the rest grows with each refusal in a row; at least 1.",
          default: 5,
        }),
        billing_max_hours: whole({
          about: "Longest rest, in hours, of a credential whose account has no credit.",
          default: 24,
        }),
      },
    }),
    order: named({
      about:
        "By provider: the numbers of the credentials to prefer, the best one first, as the log counts them (1 is `api_key`, 0 the OAuth sign-in). Those left out come after them, OAuth first, then the one that was idle longest first. A conversation keeps its credential while that is healthy.",
      value: list({ about: "", item: whole({ about: "", default: 1 }) }),
    }),
  },
});

/** Without these a service cannot be found, or its program not be run as it was meant. */
const placeKeys: ReadonlySet<string> = new Set([
  "base_url",
  "region",
  "project",
  "location",
  "plugin",
  "env",
  "config",
]);

// A provider whose key or address is not set is not an error: people share one file and own different keys.
function leaveOutUnset(tree: Tree, unset: readonly UnsetValue[]): void {
  for (const { key, index, variable } of unset) {
    if (key === "api_keys" && Array.isArray(tree[key]) && index !== undefined)
      tree[key][index] = undefined;
    else tree[key] = undefined;
    if (placeKeys.has(key)) tree["unset_variable"] = variable;
  }
  const keys = Array.isArray(tree["api_keys"])
    ? tree["api_keys"].filter((item) => item !== undefined)
    : [];
  if (tree["api_keys"] !== undefined) tree["api_keys"] = keys;
  const hasNumbered = Array.isArray(tree["numbered_keys"]);
  const hasCloudKey =
    (tree["access_key_id"] !== undefined && tree["secret_access_key"] !== undefined) ||
    tree["credentials_file"] !== undefined;
  const hasSignIn = tree["oauth"] !== undefined;
  const hasKey = tree["api_key"] !== undefined || keys.length > 0 || hasNumbered;
  if (!hasKey && !hasCloudKey && !hasSignIn) tree["unset_variable"] ??= unset[0]?.variable;
}

const maxNumberedKeys = 100;

/** Beside `NAME`, the variables `NAME_1`, `NAME_2`, … hold credentials of the same service. */
function addNumberedKeys(
  tree: Tree,
  writtenOf: (key: string) => string,
  environment: Environment,
): void {
  const name = /^\$\{([^}]+)\}$/.exec(writtenOf("api_key"))?.[1];
  if (name === undefined) return;
  const found: string[] = [];
  while (found.length < maxNumberedKeys) {
    const variable = `${name}_${found.length + 1}`;
    const value = Object.hasOwn(environment, variable) ? environment[variable] : undefined;
    if (value === undefined || value === "") break;
    found.push(value);
  }
  if (found.length > 0) tree["numbered_keys"] = found;
}
