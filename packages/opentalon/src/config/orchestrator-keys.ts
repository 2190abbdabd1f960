import {
  choice,
  duration,
  flag,
  list,
  named,
  optionalWhole,
  path,
  section,
  text,
  whole,
} from "./keys.ts";
import { actionName, contentPreparer, pluginName } from "./preparer-keys.ts";

const promptNames = [
  "orchestrator_preamble",
  "orchestrator_preamble_native",
  "orchestrator_subprocess",
  "orchestrator_knowledge_instructions",
  "orchestrator_summarize",
  "orchestrator_summarize_update",
  "orchestrator_session_title",
  "subprocess_preamble",
  "planner_preamble",
  "planner_suffix",
  "planner_narrate",
  "planner_narrate_tool",
  "rules_default",
  "rules_scheduling",
  "format_slack",
  "format_markdown",
  "format_html",
  "format_telegram",
  "format_teams",
  "format_whatsapp",
  "format_discord",
  "format_text",
];

export const orchestrator = section({
  about: "How a message becomes an answer.",
  keys: {
    rules: list({
      about: "Rules for the model, added to the built-in safety rules.",
      item: text({ about: "" }),
    }),
    prompt_overrides: named({
      about:
        "Texts that replace built-in prompts, by their name. An empty text removes the prompt.",
      value: text({ about: "" }),
      knownNames: promptNames,
    }),
    content_preparers: list({
      about:
        "Steps that see a message before the model does, in this order. A step may change the message or answer it itself.",
      item: contentPreparer,
    }),
    response_formatters: list({
      about: "Steps that see the model's answer before the person does, in this order.",
      item: section({
        about: "",
        keys: {
          plugin: text({ about: pluginName }),
          action: text({ about: actionName }),
          fail_open: flag({
            about: "Send the unchanged answer when the step fails.",
            default: true,
          }),
        },
      }),
    }),
    permission_plugin: text({
      about:
        'Plugin whose action `check` is asked, with the arguments `actor` and `plugin`, before a model may use a tool or a trusted step may run an action for a person. It allows with `true` or `{"allowed": true}`; everything else is a refusal, silence and failure included. A clear answer is remembered for five seconds.',
    }),
    tripwire: choice({
      about:
        "What happens when the output of a tool asked for a call and the model then makes that very call: with `confirm` the person is asked first, and a clear yes in their next message lets it pass once. Calls of actions that are `read_only` always pass.",
      words: ["confirm", "off"],
      default: "confirm",
      synonyms: { true: "confirm", false: "off" },
    }),
    max_concurrent_sessions: whole({
      about:
        "Conversations that are worked on at the same time; others wait. Messages of one conversation are always answered one after another, so the bound only protects the machine and the providers. (The Go program defaults to 1, which lets everybody wait for everybody else.)",
      default: 64,
      least: 1,
    }),
    debounce_window: duration({
      about:
        "Messages of one conversation that come within this time are answered together; 0 is off.",
      default: "0",
    }),
    pipeline: section({
      about: "Plans of several steps, made before the first one runs.",
      keys: {
        enabled: flag({ about: "Switches planning on.", default: false }),
        max_step_retries: whole({ about: "Repeats of a failed step.", default: 3 }),
        step_timeout: duration({ about: "Longest time of one step.", default: "60s" }),
        plan_timeout: duration({ about: "Longest time to make the plan.", default: "15s" }),
        confirmation_plugin: text({
          about:
            "Plugin that decides which calls a person must agree to. It is asked before each call of a model that changes something; the call then waits for a yes in the person's next message. Works without planning, too.",
        }),
        confirmation_action: text({
          about:
            'Action of that plugin. It gets `steps`, a JSON list of `{plugin, action, name}`, and answers `{"requires_confirmation": true}` or `false`; any other answer counts as true.',
        }),
        confirmation_classifier_enabled: flag({
          about: "Let the model understand free words as approval or refusal.",
          default: false,
        }),
      },
    }),
    knowledge: section({
      about: "Articles the model can look up.",
      keys: {
        sync_plugin: text({ about: "Plugin that is told all actions and articles." }),
        sync_action: text({
          about:
            'Action of that plugin. It gets `steps`, a JSON list of `{plugin, action, name}`, and answers `{"requires_confirmation": true}` or `false`; any other answer counts as true.',
        }),
        plugin: text({ about: "Plugin that stores the articles of `dir`." }),
        action: text({
          about:
            'Action of that plugin. It gets `steps`, a JSON list of `{plugin, action, name}`, and answers `{"requires_confirmation": true}` or `false`; any other answer counts as true.',
        }),
        dir: path({ about: "Directory with Markdown articles.", expands: "braces" }),
        refresh_interval: duration({
          about: "Time between two updates; 0 is off.",
          default: "15m",
        }),
      },
    }),
    subprocess: section({
      about: "Side tasks the model may start.",
      keys: {
        enabled: flag({ about: "Switches side tasks on.", default: false }),
        max_depth: whole({
          about: "How deep side tasks may start side tasks; at most 3.",
          default: 2,
        }),
        max_iterations: whole({ about: "Rounds of one side task; at most 10.", default: 5 }),
        default_timeout: duration({ about: "Longest time of one side task.", default: "60s" }),
        max_parallel: whole({ about: "Side tasks at the same time; at most 8.", default: 4 }),
      },
    }),
    escalation: section({
      about: "Turns that plugins may start.",
      keys: { enabled: flag({ about: "Switches them on.", default: false }) },
    }),
    notify: section({
      about: "Messages that plugins may push to people.",
      keys: { enabled: flag({ about: "Switches them on.", default: false }) },
    }),
    show_tool_calls: choice({
      about: "Whether people see which tools were used.",
      words: ["hidden", "raw", "friendly"],
      default: "hidden",
      synonyms: { "": "hidden", false: "hidden", true: "raw" },
    }),
    preparer: section({
      about: "Limits for tools that keep failing.",
      keys: {
        tool_error_handling: section({
          about: "",
          keys: {
            loop_cap_per_turn: optionalWhole({
              about: "Failures of one tool in one turn before it is taken away.",
            }),
            sticky_demotion_threshold: optionalWhole({
              about: "Turns with failures before the tool must be asked for again.",
            }),
          },
        }),
      },
    }),
    repair: section({
      about: "Correcting calls whose arguments do not exist.",
      keys: {
        enabled: flag({ about: "Switches repair on.", default: false }),
        model: text({ about: "Model that repairs; the main model when absent." }),
        prompt: text({ about: "Replaces the built-in prompt." }),
        max_attempts: whole({ about: "Attempts per call.", default: 2 }),
        timeout: duration({ about: "Longest time of one attempt.", default: "10s" }),
      },
    }),
  },
});

export const agent = section({
  about: "Limits of one turn.",
  keys: {
    max_rounds: whole({
      about: "Calls of the model in one turn. After the last one it must answer without tools.",
      default: 20,
      least: 1,
    }),
    first_token_timeout: duration({
      about: "How long a model may take to begin its answer before the next one is tried.",
      default: "60s",
    }),
    idle_timeout: duration({
      about: "How long a model may pause inside its answer.",
      default: "60s",
    }),
    max_tools: whole({
      about:
        "Tools a model is told of in full. When there are more, it gets a list of their names and loads those it needs.",
      default: 40,
      least: 1,
    }),
    tool_timeout: duration({
      about:
        "How long one call of a tool may take; `plugins.<name>.timeout` sets it for one plugin.",
      default: "30s",
    }),
  },
});
