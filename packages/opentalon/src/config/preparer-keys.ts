import { flag, section, text } from "./keys.ts";

export const pluginName = "Name of the plugin, or `lua:<script>`.";
export const actionName = "Action of the plugin; not needed for a script.";

/** One entry of `content_preparers`, of the orchestrator or of one channel. */
export const contentPreparer = section({
  about: "",
  keys: {
    plugin: text({ about: pluginName }),
    action: text({ about: actionName }),
    arg_key: text({ about: "Argument that receives the message.", default: "text" }),
    guard: flag({
      about:
        "Run before every call of the model, on what it has not been told yet: the message, or what tools returned.",
      default: false,
    }),
    fail_open: flag({
      about:
        "Go on with the unchanged message when the step fails. Otherwise the message is refused.",
      default: false,
    }),
    stt: flag({
      about:
        "The step turns sounds into text: it gets each `audio/*` file as `file_data` (base64) and `file_mime`, and what it returns is put in front of the message. When it fails, the message goes on with its files; with `fail_open` the next such step is tried before.",
      default: false,
    }),
  },
});
