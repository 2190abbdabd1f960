import { toMessage } from "../../base/errors.ts";
import type { Condition } from "./definition.ts";
import type { DefinitionCursor } from "./definition-cursor.ts";
import { createLinearRegex, type LinearRegex } from "./linear-regex.ts";
import { parseTemplate, type Template } from "./template.ts";

export function readCondition(cursor: DefinitionCursor): Condition {
  const optionalTexts = (key: string): readonly Template[] | undefined =>
    cursor.has(key) ? cursor.texts(key).map(parseTemplate) : undefined;
  return {
    field: cursor.required("field"),
    equals: cursor.template("equals"),
    contains: cursor.template("contains"),
    notEmpty: cursor.has("not_empty") ? cursor.flag("not_empty", false) : undefined,
    oneOf: optionalTexts("one_of"),
    matches: cursor.has("matches") ? readRegex(cursor, "matches") : undefined,
    except: optionalTexts("except") ?? [],
    ownThread: cursor.has("own_thread") ? cursor.flag("own_thread", false) : undefined,
    ownMessage: cursor.has("own_message") ? cursor.flag("own_message", false) : undefined,
  };
}

/** Fails where the text is no RE2 expression. */
export function readRegex(cursor: DefinitionCursor, key: string): LinearRegex {
  try {
    return createLinearRegex(cursor.text(key));
  } catch (error) {
    return cursor.fail(key, `this is no RE2 expression: ${toMessage(error)}`);
  }
}
