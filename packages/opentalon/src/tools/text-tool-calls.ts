import { parsePlainJson } from "../base/plain-json.ts";
import type { ToolCall } from "../domain/tool.ts";
import { readJsonValue } from "./read-json-value.ts";
import { isObject } from "./parameter-schema.ts";
import { parseToolName } from "./tool-name.ts";

/** A model's reply taken apart. */
export interface TextReply {
  /** What is meant for the person. */
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
}

export interface TextReplyOptions {
  /** An identifier for the next call. No two calls of one conversation may share one. */
  readonly createCallId: () => string;
}

/** A reply with more calls than this is a model gone astray; the rest of it is dropped. */
const maxCalls = 32;
const maxInvalid = 2_000;
const maxArguments = 64;

/**
 * Finds the tool calls in the model's own reply. Never hand it anything else: what it finds is executed.
 *
 * The form asked for is `[tool_call]{"tool":"p__a","args":{…}}[/tool_call]`. Also taken: a missing closing marker; inside
 * the markers `p__a` and JSON on the next line, or `p__a(k=v, k=v)`; without markers a reply that is nothing but that
 * JSON, `tool` first; and `<invoke name="p__a"><parameter name="k">v</parameter></invoke>`. A block nothing can be made
 * of becomes a call with `invalidArguments`, which is answered with how to do it right.
 *
 * Linear in the length of the reply.
 */
export function parseTextReply(reply: string, { createCallId }: TextReplyOptions): TextReply {
  const add = (found: FoundCall): ToolCall => ({ id: createCallId(), ...found });

  const whole = parseWholeReply(reply);
  if (whole !== undefined) return { text: "", toolCalls: [add(whole)] };

  const visible: string[] = [];
  const toolCalls: ToolCall[] = [];
  let position = 0;
  for (;;) {
    const opener = findOpener(reply, position);
    if (opener === undefined) break;
    visible.push(reply.slice(position, opener.index));
    if (toolCalls.length === maxCalls) {
      position = reply.length;
      break;
    }
    const block =
      opener.kind === "marker" ? readBlock(reply, opener.end) : readInvoke(reply, opener.end);
    if (block === undefined) {
      visible.push(reply.slice(opener.index, opener.end));
      position = opener.end;
    } else {
      toolCalls.push(add(block.call));
      position = block.end;
    }
  }
  visible.push(reply.slice(position));
  if (toolCalls.length === 0) return { text: reply, toolCalls };
  return {
    text: visible
      .join("")
      .replaceAll(/<\/?function_calls>/gi, "")
      .trim(),
    toolCalls,
  };
}

type FoundCall = Omit<ToolCall, "id">;

interface Block {
  readonly call: FoundCall;
  /** Where the reply goes on. */
  readonly end: number;
}

function findOpener(
  reply: string,
  from: number,
):
  | { readonly kind: "marker" | "invoke"; readonly index: number; readonly end: number }
  | undefined {
  const opener = /\[tool_call\]|<invoke\s/gi;
  opener.lastIndex = from;
  const match = opener.exec(reply);
  if (match === null) return undefined;
  const kind = match[0].startsWith("[") ? "marker" : "invoke";
  return { kind, index: match.index, end: match.index + match[0].length };
}

/** `{"tool":…,"args":…}` as the whole reply, with or without a code fence; other JSON may have a `tool` too. */
function parseWholeReply(reply: string): FoundCall | undefined {
  const body = stripFence(reply);
  if (!/^\{\s*"tool"\s*:/.test(body)) return undefined;
  const value = parseJson(body);
  if (!isObject(value)) return undefined;
  const { tool, args } = value;
  return typeof tool === "string" && parseToolName(tool) !== undefined && isObject(args)
    ? { name: tool, arguments: args }
    : undefined;
}

/** What stands after `[tool_call]`. */
function readBlock(reply: string, from: number): Block {
  const lead = /^\s*(?:```(?:json)?\s*)?/.exec(reply.slice(from, from + 64))?.[0] ?? "";
  const start = from + lead.length;
  if (reply[start] === "{") {
    const end = readJsonValue(reply, start);
    const call = end === undefined ? undefined : toCall(parseJson(reply.slice(start, end)));
    if (call !== undefined && end !== undefined) return { call, end: skipClose(reply, end) };
  }
  // A name and JSON that may itself hold what looks like a closing marker.
  const named = /^([\w.-]{1,200})\s*(?=\{)/.exec(reply.slice(start, start + 256));
  if (named !== null) {
    const jsonStart = start + named[0].length;
    const end = readJsonValue(reply, jsonStart);
    const value = end === undefined ? undefined : parseJson(reply.slice(jsonStart, end));
    if (end !== undefined && isObject(value)) {
      return { call: { name: named[1] ?? "", arguments: value }, end: skipClose(reply, end) };
    }
  }
  const rest = /\[\/?tool_call\]/gi;
  rest.lastIndex = start;
  const limit = rest.exec(reply)?.index ?? reply.length;
  const body = stripFence(reply.slice(start, limit));
  return { call: parseFunctionForm(body) ?? toInvalid(body), end: skipClose(reply, limit) };
}

function skipClose(reply: string, from: number): number {
  const close = /^\s*(?:```\s*)?\[\/tool_call\]/i.exec(reply.slice(from, from + 64));
  return close === null ? from : from + close[0].length;
}

/** `{"tool":…,"args":…}`, also with the names other formats use. */
function toCall(value: unknown): FoundCall | undefined {
  if (!isObject(value)) return undefined;
  const name = value["tool"] ?? value["name"];
  const values = value["args"] ?? value["arguments"] ?? value["parameters"] ?? {};
  return typeof name === "string" && isObject(values) ? { name, arguments: values } : undefined;
}

/** `p__a(k=v, k=v)`; `k: v` too. Values are JSON, or text up to the next comma. */
function parseFunctionForm(body: string): FoundCall | undefined {
  const match = /^([\w.-]{1,200})\s*\(([^]*)\)[\s;]*$/.exec(body.trim());
  const name = match?.[1];
  if (match === null || name === undefined) return undefined;
  const list = match[2] ?? "";
  const values: [string, unknown][] = [];
  for (
    let position = skipSpace(list, 0);
    position < list.length;
    position = skipSpace(list, position)
  ) {
    if (values.length === maxArguments) return undefined;
    const key = /^["']?([\w.-]{1,100})["']?\s*[=:]\s*/.exec(list.slice(position, position + 256));
    if (key === null) return undefined;
    const start = position + key[0].length;
    const value = readArgument(list, start);
    values.push([key[1] ?? "", value.value]);
    position = skipSpace(list, value.end);
    if (position < list.length && list[position] !== ",") return undefined;
    position += 1;
  }
  return { name, arguments: Object.fromEntries(values) };
}

function readArgument(
  list: string,
  start: number,
): { readonly value: unknown; readonly end: number } {
  if (/["[{]/.test(list[start] ?? "")) {
    const end = readJsonValue(list, start);
    const value = end === undefined ? undefined : parseJson(list.slice(start, end));
    if (end !== undefined && value !== undefined) return { value, end };
  }
  if (list[start] === "'") {
    const end = list.indexOf("'", start + 1);
    if (end > 0) return { value: list.slice(start + 1, end), end: end + 1 };
  }
  const comma = list.indexOf(",", start);
  const end = comma < 0 ? list.length : comma;
  const text = list.slice(start, end).trim();
  return { value: parseJson(text) ?? text, end };
}

function skipSpace(text: string, from: number): number {
  let position = from;
  while (/\s/.test(text[position] ?? "")) position += 1;
  return position;
}

/** What stands after `<invoke `; `undefined` when it is not the name of a tool. */
function readInvoke(reply: string, from: number): Block | undefined {
  const head = /^\s*name\s*=\s*["']([^"'<>]{1,200})["'][^<>]{0,100}>/.exec(
    reply.slice(from, from + 400),
  );
  const name = head?.[1];
  if (head === null || name === undefined || parseToolName(name) === undefined) return undefined;
  const start = from + head[0].length;
  const close = reply.indexOf("</invoke>", start);
  const next = reply.indexOf("<invoke ", start);
  // A call that is not closed ends where the next begins, so that it never gets the other's parameters.
  const isClosed = close >= 0 && (next < 0 || close < next);
  const end = isClosed ? close : next >= 0 ? next : reply.length;
  const values: [string, unknown][] = [];
  const parameter = /<parameter\s+name\s*=\s*["']([^"'<>]{1,200})["'][^<>]{0,100}>/g;
  const body = reply.slice(start, end);
  for (let match = parameter.exec(body); match !== null; match = parameter.exec(body)) {
    const valueStart = match.index + match[0].length;
    const valueEnd = body.indexOf("</parameter>", valueStart);
    if (valueEnd < 0) return { call: toInvalid(body, name), end };
    values.push([match[1] ?? "", decodeXml(body.slice(valueStart, valueEnd))]);
    parameter.lastIndex = valueEnd;
  }
  return {
    call: { name, arguments: Object.fromEntries(values) },
    end: isClosed ? end + "</invoke>".length : end,
  };
}

function decodeXml(text: string): string {
  const characters: Readonly<Record<string, string>> = {
    lt: "<",
    gt: ">",
    quot: '"',
    apos: "'",
    amp: "&",
  };
  return text.replaceAll(
    /&(lt|gt|quot|apos|amp);/g,
    (whole, name: string) => characters[name] ?? whole,
  );
}

function toInvalid(body: string, name = /^[\w.-]{1,100}/.exec(body)?.[0] ?? ""): FoundCall {
  return { name, arguments: {}, invalidArguments: body.slice(0, maxInvalid).toWellFormed() };
}

function stripFence(text: string): string {
  return text
    .trim()
    .replace(/^```(?:json)?\s*/, "")
    .replace(/```$/, "")
    .trim();
}

function parseJson(text: string): unknown {
  try {
    return parsePlainJson(text);
  } catch {
    return undefined;
  }
}
