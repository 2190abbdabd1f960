import type { pluginMessages as messages } from "@opentalon/protocol";
import type { Rule, Verdict } from "./rule.ts";
import { kept, notApplicable, toVerdict } from "./rule.ts";
import type { ToolBench } from "./tool-bench.ts";

const callableName = /^[a-zA-Z0-9_-]{1,64}$/;
const reservedNames: readonly string[] =
  "_meta _subprocess _escalate _notify opentalon scheduler reminder".split(" ");
const jsonTypes: readonly string[] = "string number integer boolean object array null".split(" ");
const maxSchemaBytes = 32_768;

/** What a tool plugin says of itself. */
export const capabilityRules: readonly Rule<ToolBench>[] = [
  {
    name: "names",
    level: "must",
    title: "Every action can be called: <plugin>__<action> matches ^[a-zA-Z0-9_-]{1,64}$",
    remedy:
      "use letters, digits, `_` and `-`, shorten the names, and leave OpenTalon's own names alone",
    check: look(({ name, actions }) => [
      ...(reservedNames.includes(name) ? [`"${name}" belongs to OpenTalon`] : []),
      ...actions
        .map((action) => `${name === "" ? "plugin" : name}__${action.name}`)
        .filter((composed) => !callableName.test(composed) || composed.endsWith("__"))
        .map((composed) => `${JSON.stringify(composed.slice(0, 100))} cannot be called`),
    ]),
  },
  {
    name: "unique-names",
    level: "must",
    title: "No action and no parameter of an action is there twice",
    remedy: "give each a name of its own: OpenTalon leaves out the second one",
    check: look(({ actions }) => [
      ...findTwice(actions).map((name) => `the action "${name}"`),
      ...actions.flatMap(({ name, parameters }) =>
        findTwice(parameters).map((parameter) => `the parameter "${parameter}" of "${name}"`),
      ),
    ]),
  },
  {
    name: "has-actions",
    level: "should",
    title: "It has an action",
    remedy: "report the actions, or tell them by RefreshCapabilities once they are known",
    check: look(({ actions }) => (actions.length === 0 ? ["it reports none"] : [])),
  },
  {
    name: "descriptions",
    level: "should",
    title: "Plugin, actions and parameters say in words what they are for, in 8 KiB at most",
    remedy: "write for a model that has never seen the plugin; what is longer is cut off",
    check: look(({ description, actions }) =>
      [
        { what: "the plugin", description },
        ...actions.map((action) => ({ what: `"${action.name}"`, description: action.description })),
        ...actions.flatMap((action) =>
          action.parameters.map((parameter) => ({
            what: `"${parameter.name}" of "${action.name}"`,
            description: parameter.description === "" ? parameter.schema : parameter.description,
          })),
        ),
      ].flatMap((each) => {
        if (each.description === "") return [`${each.what} has none`];
        return Buffer.byteLength(each.description) > 8_192
          ? [`that of ${each.what} is longer`]
          : [];
      }),
    ),
  },
  {
    name: "parameter-types",
    level: "should",
    title: "Types of parameters are those of JSON Schema",
    remedy: `use one of ${jsonTypes.join(", ")}; anything else is taken for string`,
    check: lookAtParameters(({ type }) =>
      type === "" || jsonTypes.includes(type) ? undefined : `has the type ${JSON.stringify(type)}`,
    ),
  },
  {
    name: "schemas-parse",
    level: "must",
    title: "Each schema of a parameter is the text of one JSON object",
    remedy: "send the JSON Schema of the value as text, or nothing",
    check: lookAtParameters(({ schema }) =>
      schema === "" || parseObject(schema) !== undefined
        ? undefined
        : "has a schema that is no JSON object",
    ),
  },
  {
    name: "schemas-usable",
    level: "should",
    title: "Schemas stand alone and have 32 KiB at most",
    remedy: "put what `$ref` points to in its place; a schema that cannot be used counts as none",
    check: lookAtParameters(({ schema }) => {
      if (Buffer.byteLength(schema) > maxSchemaBytes) return "has a schema of more than 32 KiB";
      const isReferring = /"\$(?:ref|dynamicRef|recursiveRef)"\s*:/.test(schema);
      return isReferring ? "has a schema with a reference" : undefined;
    }),
  },
  {
    name: "sizes",
    level: "should",
    title:
      "It has at most 1,000 actions of 100 parameters, and adds 64 KiB to the system prompt at most",
    remedy: "say less: what is beyond is left out",
    check: look(({ actions, systemPromptAddition }) => [
      ...(actions.length > 1_000 ? [`it has ${actions.length} actions`] : []),
      ...actions
        .filter(({ parameters }) => parameters.length > 100)
        .map(({ name, parameters }) => `"${name}" has ${parameters.length} parameters`),
      ...(Buffer.byteLength(systemPromptAddition) > 65_536 ? ["its addition is longer"] : []),
    ]),
  },
  {
    name: "valid-utf8",
    level: "must",
    title: "What it says of itself is valid UTF-8",
    remedy: "send text as UTF-8; what is not is replaced by U+FFFD",
    check: async (bench) => {
      await bench.session();
      const { capabilities } = await bench.introduction();
      if (capabilities?.kind !== "reply") return notApplicable("it says nothing");
      const { bytes, value } = capabilities;
      return hasInvalidText(bytes, value) ? toVerdict(["some bytes are not"]) : kept();
    },
  },
];

function look(
  find: (capabilities: messages.PluginCapabilities) => readonly string[],
): (bench: ToolBench) => Promise<Verdict> {
  return async (bench) => toVerdict(find((await bench.session()).capabilities));
}

function lookAtParameters(
  find: (parameter: messages.Parameter) => string | undefined,
): (bench: ToolBench) => Promise<Verdict> {
  return async (bench) => {
    const { capabilities } = await bench.session();
    const problems = capabilities.actions.flatMap((action) =>
      action.parameters.flatMap((parameter) => {
        const problem = find(parameter);
        return problem === undefined ? [] : [`"${parameter.name}" of "${action.name}" ${problem}`];
      }),
    );
    return toVerdict(problems);
  };
}

function findTwice(named: readonly { readonly name: string }[]): readonly string[] {
  const names = named.map(({ name }) => name);
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether reading replaced something: more replacement characters came out than went in. Of a document of the first
 * generation the bytes say it themselves.
 */
export function hasInvalidText(bytes: Buffer, value: object): boolean {
  const replacement = Buffer.from("\ufffd");
  let sent = 0;
  for (let at = bytes.indexOf(replacement); at >= 0; at = bytes.indexOf(replacement, at + 3))
    sent += 1;
  const read = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "bigint" ? String(part) : part,
  );
  return (read.match(/\ufffd/g) ?? []).length > sent;
}
