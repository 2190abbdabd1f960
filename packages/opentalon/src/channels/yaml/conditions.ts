import type { Condition } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import { isLiteral, renderText, type Scope, type Template } from "./template.ts";

/** What a condition may ask about the bot itself. */
export interface OwnTraces {
  readonly isOwnThread: (threadId: string) => boolean;
  readonly isOwnMessage: (messageId: string) => boolean;
}

export interface ConditionContext {
  readonly event: unknown;
  readonly scope: Scope;
  readonly traces: OwnTraces;
}

/** Whether everything the condition asks for is so; one that asks for nothing never holds. */
export function holds(condition: Condition, { event, scope, traces }: ConditionContext): boolean {
  const found = findField(event, condition.field);
  const value = toText(found);
  const { equals, contains, notEmpty, oneOf, matches, except, ownThread, ownMessage } = condition;
  const checks: boolean[] = [];
  const isEqual = (template: Template): boolean => {
    const wanted = renderText(template, scope);
    // A value that is not known equals nothing, or everything without the field would be meant.
    if (wanted === "" && !isLiteral(template)) return false;
    return value === wanted;
  };
  if (equals !== undefined) checks.push(isEqual(equals));
  if (contains !== undefined) {
    const wanted = renderText(contains, scope);
    checks.push(wanted !== "" && value.includes(wanted));
  }
  if (notEmpty !== undefined) checks.push((value !== "") === notEmpty);
  if (oneOf !== undefined) checks.push(oneOf.some(isEqual));
  if (matches !== undefined) checks.push(matches.test(value));
  if (ownThread !== undefined) checks.push(traces.isOwnThread(value) === ownThread);
  if (ownMessage !== undefined) checks.push(traces.isOwnMessage(value) === ownMessage);
  if (checks.length === 0) return false;
  return checks.every(Boolean) && !except.some((template) => isEqual(template));
}
