import { toMessage } from "../../base/errors.ts";
import type { FileAttachment } from "../../domain/message.ts";
import { DeliveryError } from "../delivery-error.ts";
import type { FileRule } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import { parseAnswer, RefusedError } from "./http-call.ts";
import { type ScopedMessage, toFileLookup } from "./message-scope.ts";
import type { TextRequests } from "./text-requests.ts";
import type { Scope } from "./template.ts";

/** Large files over slow lines take their time. */
const uploadTimeoutMs = 120_000;

/**
 * Sends one file by its rule; the text of the message goes below it. Gives the platform's identifier of the message, empty
 * when it is not told.
 * @throws DeliveryError: what became of the file. Before the last step nobody has seen anything of it.
 */
export async function sendFile(
  rule: FileRule,
  message: ScopedMessage,
  given: FileAttachment,
  requests: TextRequests,
): Promise<string> {
  let id = "";
  const file = { ...given, name: toFileName(given.name) };
  const resolved = new Map<string, string>();
  const scope: Scope = { file: toFileLookup(file), resolve: (key) => resolved.get(key) };
  const last = rule.steps.length - 1;
  for (const [index, { request, store }] of rule.steps.entries()) {
    try {
      const more = { scope, file, timeoutMs: uploadTimeoutMs };
      const result = await requests.call(request, message, more);
      const answer = parseAnswer(result);
      for (const [key, path] of Object.entries(store))
        resolved.set(key, toText(findField(answer, path)));
      if (index === last) id = requests.remember(message, result);
    } catch (error) {
      if (index === last || error instanceof RefusedError || !isUnknown(error)) throw error;
      throw new DeliveryError(toMessage(error), { outcome: "not-delivered", cause: error });
    }
  }
  return id;
}

function isUnknown(error: unknown): boolean {
  return error instanceof DeliveryError && error.outcome === "unknown";
}

/** The last part of a path, without what no file system and no header takes. */
function toFileName(name: string): string {
  const last = name.toWellFormed().split(/[/\\]/).at(-1) ?? "";
  const clean = last.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").trim();
  return /^\.*$/.test(clean) ? "file" : clean.slice(-200).toWellFormed();
}
