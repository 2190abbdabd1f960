/**
 * The opening sequences with which the parsers of models recognise a tool call, and the tokens of chat templates. All
 * are written as they stand in a folded text (see `fold-text.ts`), so that no disguise has to be spelled out here.
 *
 * Two families cannot be told from data and are left alone on purpose: a list of Python calls (`[f(x=1)]`, the form of
 * Llama 3.2 and 4 without their tokens, and of any printed list of objects), and a bare name followed by JSON (GLM 4 9B).
 * Against those stand the envelope and the gates before a call.
 */
export interface MarkerFamily {
  /** Which models use it. */
  readonly models: string;
  /** `<name>` and `<name attribute="…">`, with any namespace in front, when it opens. Lower case. */
  readonly tags?: readonly string[];
  /** Like `tags`, and `</name>` too: leaving a wrapper is as bad as entering it. */
  readonly wrappers?: readonly string[];
  /**
   * `<|name|>`, `<|name>` and `<name|>` however they are spaced. Any other `<|name|>` without white space inside is
   * taken for a special token as well, so only what also occurs in the other forms needs a place here. Lower case,
   * without underscores.
   */
  readonly tokens?: readonly string[];
  /** `[name]` and `[/name]`. Lower case. */
  readonly brackets?: readonly string[];
  readonly phrases?: readonly MarkerPhrase[];
}

export interface MarkerPhrase {
  /** Literal that must occur somewhere, in lower case: a text without it is not searched. */
  readonly needs: string;
  /** Global. Matches exactly the one character that is replaced; what must stand around it is looked at, not matched. */
  readonly pattern: RegExp;
  /** What stands there afterwards, `$&` being what stood there; `(` when absent. Must break the marker. */
  readonly by?: string;
  /**
   * No white space may have stood before the matched character (`before`), or inside what the first group of the
   * pattern holds (`inside`): for phrases that are ordinary text when spaced out.
   */
  readonly tight?: "before" | "inside";
}

export const markerFamilies: readonly MarkerFamily[] = [
  {
    models: "OpenTalon's own text mode",
    tags: ["plugin_output"],
    brackets: ["tool_call", "tool_use"],
    phrases: [
      // Any start of an envelope, however it goes on.
      { needs: "plugin", pattern: /\[(?=\/?plugin[_ -]?output)/gi },
      { needs: "plugin", pattern: /<(?=\/plugin[_ -]?output)/gi },
      // A whole answer that is the call itself.
      {
        needs: '{"tool":"',
        pattern: /(?<=^(?:```(?:json)?)?\{"tool":"[^"]{1,128}",")a(?=rgs":)/gi,
        by: "-$&",
      },
    ],
  },
  {
    models:
      "Hermes, Qwen 2.5 and 3, GLM 4.5, ERNIE, Granite 4, EXAONE; Seed-OSS and LongCat with a prefix",
    tags: ["tool_call", "longcat_tool_call", "tool_code"],
    wrappers: ["tool_response", "tool_responses", "tool_result", "tool_results"],
  },
  {
    models: "Jamba, Hunyuan, MiniMax M1",
    tags: ["tool_calls", "tool_sep"],
  },
  {
    models: "GLM 4.5 and later",
    tags: ["arg_key", "arg_value"],
    tokens: ["observation", "user", "assistant", "system"],
    brackets: ["gmask"],
  },
  {
    models: "Anthropic's XML, Olmo 3, and many that were trained on it",
    tags: ["function_calls", "tool_use"],
    wrappers: ["function_results"],
    phrases: [
      { needs: "invoke", pattern: /<(?=(?:antml:|minimax:|mm:|steptml:)?invoke(?: name)?=)/gi },
      // Type arguments (`List<Invoke>`) look alike but for their case.
      { needs: "invoke", pattern: /(?<!\w)<(?=(?:antml:)?invoke>)/gi },
      { needs: "invoke", pattern: /<(?=(?:antml:)?(?:invoke|INVOKE)>)/g },
    ],
  },
  {
    models: "Qwen 3 Coder, Llama 3.1 custom tools, Functionary 3.1, Nemotron Nano",
    phrases: [{ needs: "<function=", pattern: /<(?=function=)/gi }],
  },
  {
    models: "Granite 20B function calling, Gorilla, xLAM",
    tags: ["function_call"],
  },
  {
    models: "Glaive and Firefunction (`<functioncall>`), Nemotron (`<TOOLCALL>`)",
    phrases: [
      { needs: "call", pattern: /(?<!\w)<(?=(?:function|tool)calls?>)/gi },
      { needs: "call", pattern: /<(?=(?:functioncall|FUNCTIONCALL|toolcall|TOOLCALL)[sS]?>)/g },
    ],
  },
  {
    models: "Phi 4 mini, Granite 3, Gemma 4",
    tokens: ["toolcall", "tool", "toolresponse", "turn", "channel"],
  },
  {
    models: "Phi 4 and Firefunction 2",
    phrases: [{ needs: "functools[", pattern: /(?<=functools)\[/gi, tight: "before" }],
  },
  {
    models: "FunctionGemma, Gemma 3 and 4",
    tags: ["start_function_call"],
    wrappers: ["start_of_turn", "end_of_turn", "start_function_response"],
    phrases: [
      { needs: "call:", pattern: /(?<=(?<![\w.#-])call):(?=(\w+\{))/gi, by: "-", tight: "inside" },
      { needs: "```tool_code", pattern: /`(?=``tool_code)/gi, by: "'" },
    ],
  },
  {
    models: "OpenAI's harmony (gpt-oss)",
    tokens: ["channel", "start", "message", "call", "constrain", "recipient", "return", "end"],
    // After a backslash the folded text has lost the `t` to a tabulator.
    phrases: [{ needs: "o=functions.", pattern: /(?<=(?<!\w)t?o)=(?=functions\.)/gi, by: "-" }],
  },
  {
    models: "OpenAI's and Gemini's answers as JSON",
    phrases: [
      { needs: '"tool_calls":[{"', pattern: /(?<="tool)_(?=calls":\[\{")/gi, by: "-" },
      {
        needs: '"function_call":{"',
        pattern: /(?<="function)_(?=call":\{"(?:name|arguments)")/gi,
        by: "-",
      },
      {
        needs: '"functioncall":{"',
        pattern: /(?<="function)c(?=all":\{"(?:name|args|id)")/gi,
        by: "-$&",
      },
    ],
  },
  {
    models: "Llama 3 and others that answer in bare JSON: only when a text begins with it",
    phrases: [
      {
        needs: '"arguments":',
        pattern:
          /(?<=^(?:```(?:json)?)?\[?\{"(?:name|function)":"[^"]{1,128}",")a(?=rguments":[{"])/gi,
        by: "-$&",
      },
      // The parameters of a tool's description are a schema, those of a call are values.
      {
        needs: '"parameters":{',
        pattern:
          /(?<=^(?:```(?:json)?)?\[?\{"(?:name|function)":"[^"]{1,128}",")p(?=arameters":\{(?!"(?:type"|properties"|\$)))/gi,
        by: "-$&",
      },
    ],
  },
  {
    models:
      "Llama 3 and 4, InternLM, Apertus, Kimi K2, Command R7B, Step 3, and every chat template with `<|…|>`",
    tokens: [
      "pythontag",
      "pythonstart",
      "actionstart",
      "plugin",
      "interpreter",
      "toolsprefix",
      "startaction",
      "toolcallssectionbegin",
      "toolcallsbegin",
      "toolcallbegin",
      "toolsep",
      "functioncall",
      "imstart",
      "imend",
      "startheaderid",
      "endheaderid",
      "eotid",
      "eomid",
      "beginoftext",
      "endoftext",
    ],
  },
  {
    models: "DeepSeek V3.2 (DSML); its earlier forms are special tokens",
    phrases: [{ needs: "|dsml", pattern: /<(?=\|{1,3}DSML)/gi }],
  },
  {
    models: "MiniMax M2 and later, Step 3",
    phrases: [
      { needs: "minimax", pattern: /<(?=\]?minimax)/gi },
      { needs: "<steptml:", pattern: /<(?=steptml:)/gi },
    ],
  },
  {
    models: "Mistral",
    brackets: [
      "tool_calls",
      "available_tools",
      "tool_results",
      "tool_content",
      "inst",
      "system_prompt",
    ],
    phrases: [
      // `usage: program [ARGS]` is not it.
      { needs: "[args]", pattern: /(?<=\w)\[(?=ARGS\])/g, tight: "before" },
      { needs: "[args]{", pattern: /\[(?=(ARGS\]\{))/g, tight: "inside" },
      { needs: "sys>>", pattern: /<(?=(<\/?SYS>>))/gi, tight: "inside" },
    ],
  },
  {
    models: "Functionary 3.2",
    phrases: [{ needs: ">>>", pattern: />(?=(>>[a-z_]\w*)\{")/gi, by: ")", tight: "inside" }],
  },
  {
    models: "Command R",
    phrases: [
      { needs: '{"tool_name"', pattern: /(?<=action):(?=```json\[\{"tool_name")/gi, by: "-" },
      {
        needs: '"tool_name":"',
        pattern:
          /(?<="tool_name":"[^"]{1,128}",")p(?=arameters":\{(?!"(?:type"|properties"|\$)))/gi,
        by: "-$&",
      },
    ],
  },
  {
    models: "ReAct prompts",
    phrases: [
      {
        needs: "action input:",
        pattern: /(?<=\baction):(?=[\w.-]{1,64}\naction input:)/gi,
        by: "-",
      },
    ],
  },
  {
    models: "Cline and Roo",
    tags: ["use_mcp_tool", "access_mcp_resource"],
  },
];
