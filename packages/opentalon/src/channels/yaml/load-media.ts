import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { FileAttachment } from "../../domain/message.ts";
import type { MediaRule } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import { parseAnswer } from "./http-call.ts";
import { maxFileBytes } from "./map-event.ts";
import type { SessionValues } from "./session-values.ts";
import { renderText, type Scope } from "./template.ts";

export interface LoadedMedia {
  readonly files: readonly FileAttachment[];
  /** Stands for the message when that has no words. */
  readonly description: string;
}

const maxFilesOfMessage = 10;
const maxBytesOfMessage = 30 * 1024 * 1024;

/** The files of the first rule that fits. One that cannot be loaded leaves only its description. Never rejects. */
export async function loadMedia(
  rules: readonly MediaRule[],
  event: unknown,
  scope: Scope,
  values: SessionValues,
  log: Log,
): Promise<LoadedMedia> {
  const rule = rules.find(({ when }) => isThere(findField(event, when)));
  if (rule === undefined) return { files: [], description: "" };
  const list = rule.each === "" ? undefined : findField(event, rule.each);
  const items: readonly unknown[] = Array.isArray(list)
    ? list.slice(0, maxFilesOfMessage)
    : [undefined];
  const files: FileAttachment[] = [];
  let bytes = 0;
  let problems = 0;
  for (const item of items) {
    try {
      const inner = { ...scope, item: (key: string) => findField(item, key) };
      const file = await loadFile(rule, inner, values);
      if (file === undefined) continue;
      bytes += file.data.byteLength;
      if (bytes > maxBytesOfMessage)
        throw new Error("the files of the message are too large together");
      files.push(file);
    } catch (error) {
      problems += 1;
      log.warn(
        { rule: rule.when, problem: toMessage(error) },
        "a file of a message could not be loaded",
      );
    }
  }
  const described = rule.description === undefined ? "" : renderText(rule.description, scope);
  const missing =
    problems > 0 && files.length === 0
      ? "[a file came with this message and could not be loaded]"
      : "";
  return { files, description: described || missing };
}

function isThere(value: unknown): boolean {
  return (
    value !== undefined &&
    value !== null &&
    value !== "" &&
    !(Array.isArray(value) && value.length === 0)
  );
}

async function loadFile(
  { resolve }: MediaRule,
  scope: Scope,
  values: SessionValues,
): Promise<FileAttachment | undefined> {
  if (resolve === undefined) return undefined;
  const resolved = new Map<string, string>();
  const inner: Scope = { ...scope, resolve: (key) => resolved.get(key) };
  let file: { data: Buffer; type: string } | undefined;
  for (const { request, store } of resolve.steps) {
    if (store === undefined) {
      const { body, headers } = await values.download(request, inner, maxFileBytes);
      file = { data: body, type: (headers["content-type"] ?? "").split(";")[0]?.trim() ?? "" };
    } else {
      const answer = parseAnswer(await values.call(request, inner));
      for (const [key, path] of Object.entries(store))
        resolved.set(key, toText(findField(answer, path)));
    }
  }
  if (file === undefined) return undefined;
  const all = { ...values.scope, ...inner };
  const mimeType = renderText(resolve.mimeType, all) || file.type || "application/octet-stream";
  const name = renderText(resolve.name, all) || "file";
  return { name: name.slice(0, 255), mimeType: mimeType.slice(0, 255), data: file.data };
}
