import {
  address,
  choice,
  duration,
  flag,
  list,
  named,
  path,
  secret,
  secretItem,
  section,
  text,
  whole,
} from "./keys.ts";

export const log = section({
  about: "What the program writes about itself.",
  keys: {
    level: choice({
      about:
        "Least important lines that are written; `auto` is `info`, or `warn` on a terminal that a console channel owns. The variable `LOG_LEVEL` wins over the file.",
      words: ["auto", "debug", "info", "warn", "error"],
      default: "auto",
      synonyms: { "": "auto", warning: "warn", trace: "debug" },
      expands: "braces",
    }),
    file: path({
      about: "File to append to; standard error when absent.",
      expands: "braces",
      place: "data",
    }),
  },
});

export const server = section({
  about: "The HTTP door: health, metrics, webhooks, API.",
  keys: {
    enabled: flag({ about: "Switches the door on.", default: false }),
    addr: address({
      about: "Where it listens. The default reaches this machine only.",
      default: "127.0.0.1:3978",
      expands: "braces",
    }),
    token: secret({
      about: "Credential every caller must send, except for health.",
      expands: "braces",
    }),
    allow_public: flag({
      about:
        "Allow an address that other machines reach although no token is set, for example behind a proxy that checks callers.",
      default: false,
    }),
  },
});

export const webhook = section({
  about: "The port of webhooks, as older files set it.",
  keys: { port: whole({ about: "Use `server.addr` instead.", default: 3978 }) },
});

export const metrics = section({
  about: "Numbers for Prometheus, on a port of their own.",
  keys: {
    enabled: flag({ about: "Switches the port on.", default: false }),
    addr: address({ about: "Where it listens.", default: "127.0.0.1:2112", expands: "braces" }),
  },
});

export const health = section({
  about: "gRPC health service.",
  keys: {
    addr: address({ about: "Where it listens.", default: "127.0.0.1:8086", expands: "braces" }),
  },
});

export const eventWebhook = section({
  about: "Events of conversations, sent to an address of yours.",
  keys: {
    url: text({ about: "Where they are sent; off when absent.", expands: "braces" }),
    event_types: list({ about: "Which events are sent.", item: text({ about: "" }) }),
    headers: named({
      about: "Headers of the request.",
      value: secretItem({ about: "", expands: "braces" }),
    }),
    timeout_ms: whole({ about: "Longest time of one request, in milliseconds.", default: 5000 }),
    buffer_size: whole({ about: "Events that may wait; more are dropped.", default: 1000 }),
    max_retries: whole({ about: "Repeats of a failed request.", default: 2 }),
  },
});

export const profiles = section({
  about: "Who is talking: a service that knows the people behind tokens.",
  keys: {
    who_am_i: section({
      about: "The service that is asked.",
      keys: {
        url: text({ about: "Its address; off when absent.", expands: "braces" }),
        method: text({ about: "HTTP method.", default: "POST" }),
        token_header: text({ about: "Header that carries the token.", default: "Authorization" }),
        token_prefix: text({
          about: "What stands before the token; `Bearer ` when the header is Authorization.",
        }),
        timeout: duration({ about: "Longest time of one request.", default: "5s" }),
        cache_ttl: duration({ about: "How long an answer is believed.", default: "60s" }),
        entity_id_field: text({
          about: "Field of the answer with the person's identifier.",
          default: "entity_id",
        }),
        group_field: text({ about: "Field with the group.", default: "group" }),
        plugins_field: text({
          about: "Field with the plugins the person may use.",
          default: "plugins",
        }),
        model_field: text({ about: "Field with the model the person uses.", default: "model" }),
        channel_type_field: text({
          about: "Field with the kind of channel.",
          default: "channel_type",
        }),
        limit_field: text({ about: "Field with the number of tokens allowed.", default: "limit" }),
        limit_time_field: text({
          about: "Field with the time the limit is for.",
          default: "limit_time",
        }),
        credentials_field: text({
          about: "Field with credentials for plugins.",
          default: "credentials",
        }),
        name_field: text({ about: "Field with the name.", default: "name" }),
        channel_type_header: text({ about: "Header that tells the service the kind of channel." }),
        extra_headers: named({
          about: "More headers of the request.",
          value: secretItem({ about: "", expands: "shell" }),
        }),
        metadata_headers: named({
          about: "Headers made from metadata of the message: metadata key to header.",
          value: text({ about: "" }),
        }),
      },
    }),
    groups: named({
      about: "Groups of people.",
      value: section({
        about: "",
        keys: { plugins: list({ about: "Plugins the group may use.", item: text({ about: "" }) }) },
      }),
    }),
  },
});

export const bootstrap = section({
  about: "A service that adds channels and plugins at start.",
  keys: {
    url: text({ about: "Its address; off when absent.", expands: "braces" }),
    token: secret({ about: "Credential for it.", expands: "braces" }),
    token_header: text({
      about: "Header that carries the token.",
      default: "Authorization",
      expands: "braces",
    }),
    token_prefix: text({
      about: "What stands before the token.",
      default: "Bearer ",
      expands: "braces",
    }),
    timeout: duration({ about: "Longest time of one request.", default: "30s", expands: "braces" }),
    retries: whole({ about: "Repeats of a failed request.", default: 3 }),
    required: flag({ about: "Do not start without its answer.", default: false }),
  },
});

export const redis = section({
  about: "Redis, as replicas of the Go program share it.",
  keys: {
    redis_url: secret({ about: "Address of the server.", expands: "braces" }),
    master_name: text({ about: "Name of the master, with sentinels.", expands: "braces" }),
    sentinels: list({
      about: "Addresses of the sentinels.",
      item: text({ about: "", expands: "braces" }),
    }),
    password: secret({ about: "Password of the server.", expands: "braces" }),
    sentinel_password: secret({ about: "Password of the sentinels.", expands: "braces" }),
  },
});

export const cluster = section({
  about: "Several replicas of the Go program.",
  keys: {
    enabled: flag({ about: "Switches it on.", default: false }),
    dedup_ttl: duration({
      about: "How long a message is remembered.",
      default: "5m",
      expands: "braces",
    }),
  },
});

export const pluginExec = section({
  about: "Tool calls taken from a Redis stream.",
  keys: {
    enabled: flag({ about: "Switches it on.", default: false }),
    action_timeout: duration({ about: "Longest time of one call.", default: "60s" }),
  },
});
