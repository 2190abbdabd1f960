import type { Key } from "./key.ts";

/** The reference page of the configuration file, as Markdown: one table per section. */
export function toReferencePage(root: Key, withoutEffect: readonly string[]): string {
  if (root.shape.kind !== "section") throw new TypeError("the root of the configuration is a map");
  const sections = Object.entries(root.shape.keys).map(([name, key]) =>
    toSection(name, key, withoutEffect),
  );
  return `${[introduction, ...sections, ending].join("\n\n")}\n`;
}

interface Row {
  readonly name: string;
  readonly key: Key;
  readonly hasEffect: boolean;
}

function toSection(name: string, key: Key, withoutEffect: readonly string[]): string {
  const hasEffect = !withoutEffect.includes(name);
  const rows = toRows(name, key, name, hasEffect, withoutEffect).filter((row) => row.name !== name);
  const note = hasEffect ? "" : " **Accepted, not yet effective.**";
  return [
    `## ${name}`,
    "",
    `${key.about}${note}`,
    "",
    "| Key | Type | Default | Meaning | `${VAR}` | Secret | Status |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map(toLine),
  ].join("\n");
}

function toRows(
  name: string,
  key: Key,
  pattern: string,
  hasEffect: boolean,
  withoutEffect: readonly string[],
): Row[] {
  const inner = (shown: string, value: Key, innerPattern: string): Row[] =>
    toRows(
      shown,
      value,
      innerPattern,
      hasEffect && !withoutEffect.includes(innerPattern),
      withoutEffect,
    );
  const own: Row = { name, key, hasEffect };
  const { shape } = key;
  switch (shape.kind) {
    case "scalar":
    case "opaque":
      return [own];
    case "list":
      // Rows of the items say more than their map itself.
      return [
        own,
        ...inner(`${name}[]`, shape.item, `${pattern}[]`).filter((row) => row.name !== `${name}[]`),
      ];
    case "named": {
      const reserved = Object.entries(shape.reserved).flatMap(([reservedName, value]) =>
        inner(`${name}.${reservedName}`, value, `${pattern}.${reservedName}`),
      );
      const entry = `${name}.<name>`;
      const rows = inner(entry, shape.value, `${pattern}.*`).filter(
        (row) => row.name !== entry || row.key.about !== "",
      );
      return [own, ...rows, ...reserved];
    }
    case "section": {
      const shown = Object.entries(shape.keys).filter(([, value]) => !value.hidden);
      const rows = shown.flatMap(([innerName, value]) =>
        inner(`${name}.${innerName}`, value, `${pattern}.${innerName}`),
      );
      return key.about === "" ? rows : [own, ...rows];
    }
  }
}

function toLine({ name, key, hasEffect }: Row): string {
  const former = key.formerly.map((older) => ` Formerly \`${older}\`.`).join("");
  const cells = [
    `\`${name}\``,
    key.type,
    toDefault(key),
    `${key.about}${former}`,
    toExpansion(key),
    key.secret && key.shape.kind !== "section" ? "yes" : "",
    hasEffect ? "" : "accepted, not yet effective",
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function toDefault({ written }: Key): string {
  if (written === undefined || written === "") return "–";
  return `\`${typeof written === "string" && /^\s|\s$/.test(written) ? JSON.stringify(written) : String(written)}\``;
}

function toExpansion({ expands, shape }: Key): string {
  if (shape.kind === "opaque") return "texts at the top";
  const inner =
    shape.kind === "list" ? shape.item : shape.kind === "named" ? shape.value : undefined;
  const effective = inner?.shape.kind === "scalar" ? inner.expands : expands;
  return effective === "none" ? "" : effective === "braces" ? "yes" : "yes, also `$VAR`";
}

const introduction = `# Configuration

<!-- Made from the schema by packages/opentalon/src/config/write-reference.ts. Do not edit. -->

OpenTalon reads one YAML file. Start with \`config.example.yaml\`: copy it to \`config.yaml\` and change what you need. Every
key may be left out, and a key with nothing behind it counts as left out. Editors check the file as you type when its first line is

\`\`\`yaml
# yaml-language-server: $schema=docs/reference/config.schema.json
\`\`\`

## How values are written

**Variables.** \`\${NAME}\` stands for the environment variable \`NAME\`, in the keys whose column \`\${VAR}\` says so. In the \`config\`
block of a plugin or a channel it works in the texts at the top of the block, not further inside. There are no defaults and
no escapes, and what a variable holds is not looked at again.

**Variables that are not set.** If a part that is switched on needs the variable, the program does not start and says which
variable and which part. In parts that are switched off the text stays as it is. Providers of models are an exception: a
provider whose \`api_key\`, \`api_keys\` or \`base_url\` is not set is left out, so one file can name more services than you have
keys for. Only if \`routing.primary\` names such a provider while another one is configured, the program does not start.
Without any configured provider the built-in demonstration model answers.

**Durations** are written as in Go: \`500ms\`, \`30s\`, \`5m\`, \`1h30m\`, or \`0\`.

**Paths.** \`~\` is the home directory. A relative path starts at the directory of the configuration file if it leads to
something there, otherwise at the directory the program was started in. \`state.data_dir\` and \`log.file\` always start at the
directory of the configuration file, as does a program that is at neither place. In a \`plugin\` list (\`[node, ./plugin.js]\`) a program without \`/\` is looked up on the
search path, and an argument is a path only if it begins with \`./\` or \`../\`.

**Texts** may be written without quotes, also when they look like numbers. Switches are \`true\` or \`false\`; \`yes\`, \`no\`, \`on\`
and \`off\` are understood. Anchors, aliases and merge keys (\`<<\`) work.

**Secrets.** Keys marked "secret" never appear in a log, in an error or in \`/show config\`. The same goes for every text of a
\`config\` block that came out of a variable; what looks like a credential by its name is hidden in \`/show config\` as well.

**Status.** "Accepted, not yet effective" marks keys that other versions of OpenTalon know. They load, and the program says
once that they have no effect.`;

const ending = `## Errors

All problems of a file are reported together, each with its line, its key, what was expected and what was found:

\`\`\`text
config.yaml has 2 problems:

  line 4   plugins.hello-world.enabled
           Expected true or false; found the text "yess".
  line 12  agent.tool_timeout
           Expected a duration such as 500ms, 30s, 5m or 1h30m; found the text "30". Did you mean \`30s\`?
\`\`\`

| Code | Meaning |
| --- | --- |
| \`CONFIG_NOT_FOUND\` | There is no file at the path. |
| \`CONFIG_UNREADABLE\` | The file cannot be read, is larger than 1 MiB, or is not UTF-8. |
| \`CONFIG_SYNTAX\` | The file is not valid YAML, or a key stands in it twice. |
| \`CONFIG_INVALID\` | A value has the wrong type, or values contradict each other. |
| \`CONFIG_VARIABLE_UNSET\` | Nothing is wrong but environment variables that are not set. |

Keys that do not exist are no error: they are reported with the most similar key that does, and ignored.`;
