import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import {
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  ScalarType,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** Pages of docs/reference/protocol: the protocol files and their comments, for people of every language. */

const root = join(import.meta.dirname, "..");
export const protocolFolder = join(root, "docs/reference/protocol");

/** Texts of the pages by file name. */
export function renderProtocolPages(): ReadonlyMap<string, string> {
  const registry = createFileRegistry(readDescriptors());
  const files = [...registry.files].filter(({ name }) => name.startsWith("opentalon/"));
  return new Map(files.map((file) => [`${basename(file.name)}.md`, renderPage(file)]));
}

function readDescriptors() {
  const folder = mkdtempSync(join(tmpdir(), "opentalon-protocol-"));
  try {
    const image = join(folder, "image.binpb");
    const buf = join(root, "node_modules/.bin/buf");
    execFileSync(buf, ["build", "--as-file-descriptor-set", "-o", image], { cwd: root });
    return fromBinary(FileDescriptorSetSchema, readFileSync(image));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What stands above something in its protocol file. */
type Explain = (...path: readonly number[]) => string;

/** Numbers of the fields of a descriptor, which is how places in a file are told. */
const place = { package: 2, messages: 4, enums: 5, services: 6, members: 2 } as const;

function renderPage(file: DescFile): string {
  const source = `proto/${file.name}.proto`;
  const comments = new Map(
    file.proto.sourceCodeInfo?.location.map(({ path, leadingComments }) => [
      path.join("."),
      leadingComments.replaceAll(/^ /gm, "").trim(),
    ]),
  );
  const explain: Explain = (...path) => comments.get(path.join(".")) ?? "";
  return [
    `# ${file.proto.package}`,
    `From the comments of [\`${basename(source)}\`](../../../${source}), by \`make generate\`. How a plugin lives and what holds for all of them: [the plugin protocol](../plugin-protocol.md).`,
    explain(place.package),
    ...file.services.flatMap((service, index) => renderService(service, index, explain)),
    "## Messages",
    ...file.messages.flatMap((message, index) => renderMessage(message, index, explain)),
    ...file.enums.flatMap((each, index) => renderEnum(each, index, explain)),
    "",
  ].join("\n\n");
}

function renderService(service: DescService, index: number, explain: Explain): string[] {
  return [
    `## ${service.name}`,
    explain(place.services, index),
    ...service.methods.flatMap((method, at) => [
      `### ${method.name}`,
      renderSignature(method),
      explain(place.services, index, place.members, at),
    ]),
  ];
}

function renderSignature({ parent, name, methodKind, input, output }: DescMethod): string {
  const asks = methodKind === "client_streaming" || methodKind === "bidi_streaming";
  const answers = methodKind === "server_streaming" || methodKind === "bidi_streaming";
  const path = `/${parent.typeName}/${name}`;
  const from = `${asks ? "a stream of " : ""}${renderType(input, parent.file)}`;
  const to = `${answers ? "a stream of " : ""}${renderType(output, parent.file)}`;
  return `${from} → ${to}, as \`${path}\``;
}

function renderMessage(message: DescMessage, index: number, explain: Explain): string[] {
  const rows = message.fields.map((field, at) => {
    const means = explain(place.messages, index, place.members, at);
    return [`\`${field.name}\``, String(field.number), renderFieldType(field), means];
  });
  const title = [`### ${message.name}`, explain(place.messages, index)];
  if (rows.length === 0) return [...title, "It has no fields."];
  return [...title, renderTable(["field", "number", "type", "means"], rows)];
}

function renderEnum(each: DescEnum, index: number, explain: Explain): string[] {
  const rows = each.values.map((value, at) => {
    const means = explain(place.enums, index, place.members, at);
    return [`\`${value.name}\``, String(value.number), means];
  });
  return [
    `### ${each.name}`,
    explain(place.enums, index),
    renderTable(["value", "number", "means"], rows),
  ];
}

function renderFieldType(field: DescField): string {
  const one = (type: {
    scalar?: ScalarType | undefined;
    of?: DescMessage | DescEnum | undefined;
  }) =>
    type.of === undefined
      ? ScalarType[type.scalar ?? ScalarType.STRING].toLowerCase()
      : renderType(type.of, field.parent.file);
  const choice = field.oneof === undefined ? "" : `, one of \`${field.oneof.name}\``;
  switch (field.fieldKind) {
    case "map":
      return `map of ${ScalarType[field.mapKey].toLowerCase()} to ${one({ scalar: field.scalar, of: field.message ?? field.enum })}`;
    case "list":
      return `list of ${one({ scalar: field.scalar, of: field.message ?? field.enum })}`;
    case "scalar":
    case "message":
    case "enum":
      return one({ scalar: field.scalar, of: field.message ?? field.enum }) + choice;
  }
}

function renderType({ name, typeName, file }: DescMessage | DescEnum, here: DescFile): string {
  return file === here ? `[${name}](#${name.toLowerCase()})` : `\`${typeName}\``;
}

function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const toCell = (text: string): string => text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|");
  const lines = [head, head.map(() => "---"), ...rows.map((row) => row.map(toCell))];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
