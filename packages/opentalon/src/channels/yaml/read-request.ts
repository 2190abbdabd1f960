import type { PartTemplate, RequestTemplate } from "./definition.ts";
import type { DefinitionCursor } from "./definition-cursor.ts";
import { parseTemplate } from "./template.ts";

/** Reads a request out of the map it stands in; `method` is for those that name none. */
export type RequestReader = (cursor: DefinitionCursor, method: string) => RequestTemplate;

export function readRequest(cursor: DefinitionCursor, fallbackMethod: string): RequestTemplate {
  const method = cursor.text("method", fallbackMethod).toUpperCase();
  if (!/^[A-Z]{3,10}$/.test(method)) cursor.fail("method", "this is no HTTP method");
  cursor.required("url");
  const url = cursor.template("url") ?? parseTemplate("");
  const headers = Object.entries(readTexts(cursor, "headers")).map(([name, value]) => {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name))
      cursor.fail("headers", `"${name}" is no name of a header`);
    return { name, value: parseTemplate(value) };
  });
  return {
    place: cursor.path,
    method,
    url,
    headers,
    body: cursor.template("body"),
    multipart: readParts(cursor),
    isFileBody: cursor.flag("file_body", false),
    omitsEmptyDeep: false,
    when: cursor.template("when"),
  };
}

function readParts(cursor: DefinitionCursor): readonly PartTemplate[] | undefined {
  if (!cursor.has("multipart")) return undefined;
  return cursor.maps("multipart").map((part): PartTemplate => {
    const name = part.required("name");
    if (part.flag("file", false)) {
      return { name, content: { kind: "file", mimeType: part.template("type") } };
    }
    const value = part.template("value") ?? part.fail("value", "it must be given, or `file: true`");
    return { name, content: { kind: "text", value } };
  });
}

/** A map of words, such as headers. */
export function readTexts(cursor: DefinitionCursor, key: string): Readonly<Record<string, string>> {
  const map = cursor.map(key);
  return Object.fromEntries((map?.keys() ?? []).map((name) => [name, map?.text(name) ?? ""]));
}
