import { randomUUID } from "node:crypto";
import type { FileAttachment } from "../../domain/message.ts";
import type { RequestTemplate } from "./definition.ts";
import { writeMultipart } from "./write-multipart.ts";
import { isLiteral, type Placeholder, renderText, type Scope, type Template } from "./template.ts";
import { ChannelError } from "../../base/errors.ts";

/** A request ready to be made. */
export interface RenderedRequest {
  /** Where it stands in the definition, for messages. */
  readonly place: string;
  readonly method: string;
  readonly url: URL;
  /** Whether what came with a message decides where it goes. */
  readonly isOriginFromData: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

/** Filled by the operator, or by what the operator's own addresses answered at the start. */
const operatorNamespaces = new Set(["env", "config", "self"]);
/** Answers of addresses the operator chose; their values may be paths. */
const answerNamespaces = new Set(["resolve", "enrich"]);

/**
 * Fills a request. A value is escaped by where it stands: in a path, a query, a header, in JSON inside or outside of a
 * string, or in a form. `file` is the one at hand, for bodies that carry it.
 * @throws ChannelError CHANNEL_REFUSED when no address comes of it.
 */
export function renderRequest(
  request: RequestTemplate,
  scope: Scope,
  file?: FileAttachment,
): RenderedRequest {
  const { place, method } = request;
  const { url, isOriginFromData } = renderUrl(request.url, scope, place);
  const headers: Record<string, string> = {};
  for (const { name, value } of request.headers) {
    if (/^(?:content-length|transfer-encoding|connection)$/i.test(name)) continue;
    headers[name] = toHeaderValue(renderText(value, scope));
  }
  const body = renderAnyBody(request, scope, { headers, file });
  return { place, method, url, isOriginFromData, headers, body };
}

function renderAnyBody(
  { place, body, multipart, isFileBody, omitsEmptyDeep }: RequestTemplate,
  scope: Scope,
  { headers, file }: { headers: Record<string, string>; file: FileAttachment | undefined },
): Buffer | undefined {
  if (multipart === undefined && !isFileBody)
    return body && renderBody(body, scope, headers, omitsEmptyDeep);
  if (isFileBody) {
    if (file === undefined) throw refused(`${place}: there is no file to send`);
    const { buffer, byteOffset, byteLength } = file.data;
    return Buffer.from(buffer, byteOffset, byteLength);
  }
  const boundary = `talon-${randomUUID()}`;
  const given = Object.keys(headers).find((name) => name.toLowerCase() === "content-type");
  headers[given ?? "Content-Type"] = `multipart/form-data; boundary=${boundary}`;
  return writeMultipart(multipart ?? [], { boundary, scope, file, place });
}

/** @throws ChannelError CHANNEL_REFUSED when the text is no http(s) or ws(s) address. */
export function renderUrl(
  template: Template,
  scope: Scope,
  place: string,
): { readonly url: URL; readonly isOriginFromData: boolean } {
  let text = "";
  let isOriginFromData = false;
  let isBase = false;
  for (const part of template.parts) {
    if (typeof part === "string") {
      // Bases of addresses are written with a slash at their end and without.
      text += isBase && text.endsWith("/") && part.startsWith("/") ? part.slice(1) : part;
      isBase = false;
      continue;
    }
    const value = renderText({ text: "", parts: [part] }, scope);
    isBase = locate(text) === "origin";
    const where = locate(text);
    if (where === "origin") {
      isOriginFromData ||= !operatorNamespaces.has(part.namespace);
      text += value;
    } else if (where === "query") text += encodeURIComponent(value.toWellFormed());
    else text += escapePath(value.toWellFormed(), part);
  }
  const url = URL.parse(text);
  if (url === null || !/^(?:https?|wss?):$/.test(url.protocol)) {
    throw refused(`${place}: its url is no address; a value it needs may be missing`);
  }
  if (!isLiteral(template) && climbs(text)) {
    throw refused(
      `${place}: a value would lead to another path than the one that is written there`,
    );
  }
  url.hash = "";
  return { url, isOriginFromData };
}

function locate(text: string): "origin" | "path" | "query" {
  const match = /^[a-z][a-z0-9+.-]*:[/\\]{2}[^/?#\\]*([/?#\\].*)$/is.exec(text);
  if (match === null) return "origin";
  return /[?#]/.test(match[1] ?? "") ? "query" : "path";
}

/** What the URL standard leaves as it is inside a segment. */
function escapeSegment(value: string): string {
  return encodeURIComponent(value).replaceAll(/%(?:3A|40|24|26|2B|2C|3B|3D)/g, decodeURIComponent);
}

function escapePath(value: string, { namespace }: Placeholder): string {
  if (namespace === "env" || namespace === "config") {
    // What the operator wrote may be escaped already.
    return value
      .split(/(%[0-9A-Fa-f]{2}|\/)/)
      .map((piece, index) => (index % 2 === 1 ? piece : escapeSegment(piece)))
      .join("");
  }
  if (namespace !== "self" && !answerNamespaces.has(namespace)) return escapeSegment(value);
  return value.split("/").map(escapeSegment).join("/");
}

function climbs(text: string): boolean {
  const [path = ""] = text.replace(/^[a-z][a-z0-9+.-]*:[/\\]{2}/i, "").split(/[?#]/);
  return path
    .split(/[/\\]/)
    .some((segment) =>
      /^\.{1,2}$/.test(segment.replaceAll(/%2e/gi, ".").replaceAll(/[\t\n\r]/g, "")),
    );
}

/** Without what could end a header or begin another one; beyond ASCII as UTF-8. */
function toHeaderValue(text: string): string {
  const line = text
    .toWellFormed()
    .replaceAll(/[\u0000-\u0008\u000a-\u001f\u007f]/g, "")
    .trim();
  return Buffer.from(line, "utf8").toString("latin1");
}

function renderBody(
  template: Template,
  scope: Scope,
  headers: Record<string, string>,
  omitsEmptyDeep: boolean,
): Buffer {
  const name = Object.keys(headers).find((header) => header.toLowerCase() === "content-type");
  const contentType = name === undefined ? "" : (headers[name] ?? "");
  if (/^application\/x-www-form-urlencoded\b/i.test(contentType)) {
    return Buffer.from(
      renderText(template, scope, (value) => encodeURIComponent(value.toWellFormed())),
    );
  }
  const looksLikeJson = /^\s*[{[]/.test(template.text);
  if (/[/+]json\b/i.test(contentType) || (contentType === "" && looksLikeJson)) {
    if (name === undefined) headers["Content-Type"] = "application/json";
    return Buffer.from(withoutEmptyMembers(renderJson(template, scope), omitsEmptyDeep));
  }
  return Buffer.from(renderText(template, scope).toWellFormed());
}

/** Inside a string a value is a piece of that string; outside it is a JSON value of its own. */
export function renderJson({ parts }: Template, scope: Scope): string {
  let text = "";
  let isInString = false;
  for (const part of parts) {
    if (typeof part === "string") {
      isInString = endsInString(part, isInString);
      text += part;
      continue;
    }
    const value = renderText({ text: "", parts: [part] }, scope).toWellFormed();
    const quoted = JSON.stringify(value);
    if (isInString) text += quoted.slice(1, -1);
    else text += isJson(value) ? value : quoted;
  }
  return text;
}

function endsInString(literal: string, startsInString: boolean): boolean {
  let isInString = startsInString;
  for (let at = 0; at < literal.length; at += 1) {
    const character = literal[at];
    if (character === "\\" && isInString) at += 1;
    else if (character === '"') isInString = !isInString;
  }
  return isInString;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A member whose values were all missing is left out; text that is no JSON object stays as it is. */
function withoutEmptyMembers(text: string, isDeep: boolean): string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return text;
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) return text;
  const members = Object.entries(document);
  if (isDeep) {
    return JSON.stringify(document, (_, value: unknown) => (value === "" ? undefined : value));
  }
  const kept = members.filter(([, value]) => value !== "");
  return kept.length === members.length ? text : JSON.stringify(Object.fromEntries(kept));
}

function refused(message: string): ChannelError {
  return new ChannelError("CHANNEL_REFUSED", message);
}
