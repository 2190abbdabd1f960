import { choice, duration, flag, path, secret, section, text, whole } from "./keys.ts";

export const state = section({
  about: "What is kept on disk.",
  keys: {
    data_dir: path({
      about:
        "Directory for everything that is kept. A relative path starts at the directory of the configuration file.",
      default: "~/.opentalon",
      expands: "braces",
      place: "data",
    }),
    db: section({
      about: "The database.",
      isActive: (tree) => tree["driver"] === "postgres",
      keys: {
        driver: choice({
          about:
            "`sqlite` keeps all in one file and needs nothing else. `postgres` lets several replicas share the work.",
          words: ["sqlite", "postgres"],
          default: "sqlite",
          synonyms: { "": "sqlite", sqlite3: "sqlite", postgresql: "postgres" },
        }),
        dsn: secret({ about: "Connection address of PostgreSQL.", expands: "braces" }),
        max_open_conns: whole({
          about: "Connections at the same time (PostgreSQL).",
          default: 25,
          least: 1,
        }),
        max_idle_conns: whole({
          about: "Connections kept open while idle (PostgreSQL).",
          default: 10,
        }),
        conn_max_lifetime: duration({
          about: "Age at which a connection is replaced (PostgreSQL).",
          default: "5m",
        }),
        conn_max_idle_time: duration({
          about: "Idle time after which a connection is closed (PostgreSQL).",
          default: "5m",
        }),
      },
    }),
    session: section({
      about: "The memory of a conversation.",
      keys: {
        max_messages: whole({ about: "Messages kept per conversation; 0 keeps all.", default: 0 }),
        context_messages: whole({
          about: "Newest messages the model is shown; 0 shows all that fit.",
          default: 0,
        }),
        max_idle_days: whole({
          about: "Days without a message after which a conversation is forgotten; 0 is never.",
          default: 0,
        }),
        summarize_after_messages: whole({
          about: "Length at which older messages are replaced by a summary; 0 is never.",
          default: 0,
        }),
        max_messages_after_summary: whole({
          about: "Messages kept next to the summary.",
          default: 5,
        }),
        summarize_prompt: text({ about: "Replaces the prompt for the first summary." }),
        summarize_update_prompt: text({ about: "Replaces the prompt for later summaries." }),
        session_title_prompt: text({ about: "Replaces the prompt for titles." }),
      },
    }),
    debug: section({
      about: "Recorded requests to models.",
      keys: {
        retention_days: whole({ about: "Days they are kept.", default: 30 }),
        retention_disabled: flag({ about: "Keep them for ever.", default: false }),
        always_capture: flag({
          about: "Record every conversation, not only those that asked for it.",
          default: false,
        }),
      },
    }),
    session_events: section({
      about: "Recorded events of conversations.",
      keys: {
        retention_days: whole({ about: "Days they are kept.", default: 90 }),
        retention_disabled: flag({ about: "Keep them for ever.", default: false }),
      },
    }),
  },
});
