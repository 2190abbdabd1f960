import { toPrintableLine } from "../base/printable.ts";

export interface Column {
  readonly title: string;
  /** Numbers stand under each other by their last digit. */
  readonly isNumber?: boolean;
}

/** Rows under titles, each column as wide as its widest cell. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const cells = [columns.map(({ title }) => title), ...rows].map((row) => row.map(toPrintableLine));
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  const lines = cells.map((row) =>
    columns.map(({ isNumber = false }, at) => {
      const width = widths[at] ?? 0;
      const cell = row[at] ?? "";
      return isNumber ? cell.padStart(width) : cell.padEnd(width);
    }),
  );
  return lines.map((line) => `${line.join("  ").trimEnd()}\n`).join("");
}

const mostDigits = 10;

/** USD: two digits of whatever one question costs, be it ever so little. */
export function formatMoney(amount: number): string {
  const size = Math.abs(amount);
  const leading = size > 0 && size < 1 ? Math.ceil(-Math.log10(size)) : 0;
  return `$${amount.toFixed(Math.min(mostDigits, leading < 2 ? 2 : leading + 1))}`;
}

/** USD for programs: without the dust of binary fractions. */
export function toAmount(amount: number): number {
  return Number(amount.toFixed(mostDigits));
}

export function formatCount(count: number): string {
  return String(Math.round(count)).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

/** A part of 1; `-` where there is none. */
export function formatPercent(part: number | undefined): string {
  return part === undefined || !Number.isFinite(part) ? "-" : `${Math.round(100 * part)} %`;
}

export function toPart(count: number, total: number): number | undefined {
  return total === 0 ? undefined : count / total;
}
