/** More than anything real counts to; sums of it stay exact, and every database takes it. */
const greatestCount = 1_000_000_000;

/** A count somebody else tells, as a whole number from 0 to a billion; 0 for what is none. */
export function toCount(value: unknown): number {
  if (typeof value !== "number" || !(value > 0)) return 0;
  return Math.min(Math.floor(value), greatestCount);
}
