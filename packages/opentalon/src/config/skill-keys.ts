import {
  flag,
  list,
  named,
  optionalDuration,
  path,
  secretItem,
  section,
  text,
  whole,
} from "./keys.ts";

const reference = "Branch, tag or commit.";

const source = (about: string) =>
  section({
    about,
    textAs: "name",
    keys: {
      name: text({ about: "Its name." }),
      github: text({ about: "Repository it comes from; the default one when absent." }),
      ref: text({ about: reference }),
    },
  });

const requestPackage = section({
  about: "",
  keys: {
    plugin: text({ about: "Name the tools are known by." }),
    description: text({ about: "What they are for, for the model." }),
    packages: list({
      about: "One HTTP request each.",
      item: section({
        about: "",
        keys: {
          action: text({ about: "Name of the tool." }),
          description: text({ about: "What it does, for the model." }),
          method: text({ about: "HTTP method.", default: "GET" }),
          url: text({ about: "Address, with placeholders.", expands: "braces" }),
          body: text({ about: "Body, with placeholders." }),
          headers: named({
            about: "Headers, with placeholders.",
            value: secretItem({ about: "", expands: "braces" }),
          }),
          required_env: list({ about: "Variables that must be set.", item: text({ about: "" }) }),
          parameters: list({
            about: "What the model may pass.",
            item: section({
              about: "",
              keys: {
                name: text({ about: "Name of the parameter." }),
                description: text({ about: "What it means, for the model." }),
                required: flag({ about: "Must be given.", default: false }),
              },
            }),
          }),
        },
      }),
    }),
    mcp: section({
      about: "An MCP server instead of requests.",
      keys: {
        server: text({ about: "Its name." }),
        url: text({ about: "Its address.", expands: "braces" }),
        headers: named({
          about: "Headers of every request.",
          value: secretItem({ about: "", expands: "braces" }),
        }),
        context_headers: named({
          about: "Headers made from the conversation.",
          value: text({ about: "" }),
        }),
      },
    }),
    groups: list({
      about: "Groups that may use it; everybody when empty.",
      item: text({ about: "" }),
    }),
  },
});

export const requestPackages = section({
  about: "Tools without a program: HTTP requests made from templates, and skills.",
  keys: {
    path: path({ about: "Directory of request packages." }),
    skills_path: path({ about: "Directory of skills." }),
    skills: list({
      about: "Skills to fetch: names, or maps for those from other repositories.",
      item: source(""),
    }),
    default_skill_github: text({ about: "Repository that skills come from." }),
    default_skill_ref: text({ about: reference }),
    inline: list({ about: "Request packages written here.", item: requestPackage }),
  },
});

export const scheduler = section({
  about: "Jobs that run by themselves.",
  keys: {
    jobs: list({
      about: "Jobs people cannot change in a conversation.",
      item: section({
        about: "",
        keys: {
          name: text({ about: "Name of the job." }),
          interval: optionalDuration({
            about: "Time between two runs. Give one of `interval`, `cron` and `at`.",
          }),
          cron: text({ about: "Times as five cron fields, or `@daily` and the like." }),
          at: text({ about: "One time, for example 2030-01-31T09:00:00Z." }),
          action: text({ about: "What to run, as `plugin__action` or `plugin.action`." }),
          args: named({ about: "Arguments of the action.", value: text({ about: "" }) }),
          notify_channel: text({ about: "Channel that is told the result." }),
          notify_conversation_id: text({ about: "Conversation in that channel." }),
          enabled: flag({ about: "Switches the job on.", default: true }),
        },
      }),
    }),
    approvers: list({
      about: "People who may create, change and delete jobs; everybody when empty.",
      item: text({ about: "" }),
    }),
    max_jobs_per_user: whole({ about: "Jobs one person may have; 0 is no limit.", default: 0 }),
  },
});
