import { randomInt } from "node:crypto";
import type { Clock } from "../base/clock.ts";

const digits = "0123456789abcdefghjkmnpqrstvwxyz";
const timeLength = 9;
const tailLength = 7;

export interface SortableIdOptions {
  readonly clock: Clock;
  /** The greatest identifier given so far; every new one is greater, also when the clock was set back. */
  readonly newest?: string | undefined;
}

/**
 * Makes identifiers of 16 letters and digits: the time in milliseconds, then a number that starts at random and counts up
 * within one millisecond. Sorted as text they are in the order of their making.
 */
export function createSortableId({ clock, newest = "" }: SortableIdOptions): () => string {
  const isKnown =
    newest.length === timeLength + tailLength &&
    [...newest].every((digit) => digits.includes(digit));
  let timeMs = isKnown ? decode(newest.slice(0, timeLength)) : 0;
  let tail = isKnown ? decode(newest.slice(timeLength)) : 0;
  return () => {
    const nowMs = clock.now();
    if (nowMs > timeMs) {
      timeMs = nowMs;
      // Half of the range stays free for counting up.
      tail = randomInt(2 ** 34);
    } else tail += 1;
    return encode(timeMs, timeLength) + encode(tail, tailLength);
  };
}

/** The least identifier made at `timeMs`: all made earlier are smaller. */
export function toSortableId(timeMs: number): string {
  return encode(Math.max(0, timeMs), timeLength) + encode(0, tailLength);
}

function encode(value: number, length: number): string {
  let text = "";
  let rest = Math.floor(value);
  for (let index = 0; index < length; index += 1) {
    text = digits.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function decode(text: string): number {
  let value = 0;
  for (const digit of text) value = value * 32 + digits.indexOf(digit);
  return value;
}
