import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Transform } from "./definition.ts";
import { createLinearRegex, quoteRegex } from "./linear-regex.ts";
import { renderText, type Scope } from "./template.ts";

/** Applies the transforms in order. One that cannot be applied is left out, and told in the log. */
export function transformText(
  text: string,
  transforms: readonly Transform[],
  scope: Scope,
  log: Log,
): string {
  let current = text;
  for (const transform of transforms) {
    try {
      current = applyOne(current, transform, scope);
    } catch (error) {
      log.warn({ problem: toMessage(error) }, "a transform could not be applied to a message");
    }
  }
  return current;
}

function applyOne(text: string, transform: Transform, scope: Scope): string {
  switch (transform.kind) {
    case "trim":
      return text.trim();
    case "replace": {
      const pattern = renderText(transform.pattern, scope);
      return pattern === ""
        ? text
        : text.replaceAll(pattern, () => renderText(transform.replacement, scope));
    }
    case "replace-regex": {
      // Only the operator writes expressions; what came with an event is taken by the letter.
      const pattern = renderText(transform.pattern, scope, (value, { namespace }) =>
        namespace === "config" || namespace === "env" ? value : quoteRegex(value),
      );
      const replacement = renderText(transform.replacement, scope, (value) =>
        value.replaceAll("$", "$$$$"),
      );
      return createLinearRegex(pattern).replaceAll(text, replacement);
    }
  }
}
