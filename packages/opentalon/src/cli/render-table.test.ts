import { describe, expect, it } from "vitest";
import { parseSince } from "./parse-since.ts";
import {
  formatCount,
  formatMoney,
  formatPercent,
  renderTable,
  toAmount,
  toPart,
} from "./render-table.ts";

describe("a table", () => {
  it("has columns as wide as their widest cell, numbers under each other", () => {
    const columns = [{ title: "model" }, { title: "answers", isNumber: true }];
    const rows = [
      ["provider/model", "7"],
      ["p", "1,000"],
    ];
    expect(renderTable(columns, rows)).toBe(
      "model           answers\nprovider/model        7\np                 1,000\n",
    );
  });

  it("obeys nothing that a cell says", () => {
    const table = renderTable([{ title: "a" }], [["\u001b[2Jx\ny"]]);
    expect(table).not.toContain("\u001b");
    expect(table.split("\n")).toHaveLength(3);
  });
});

it("money shows two digits however small it is", () => {
  expect([0, 0.0000032, 0.00012, 0.012, 0.5, 12.3456, 1234.5].map(formatMoney)).toEqual([
    "$0.00",
    "$0.0000032",
    "$0.00012",
    "$0.012",
    "$0.50",
    "$12.35",
    "$1234.50",
  ]);
  expect(toAmount(0.1 + 0.2)).toBe(0.3);
});

it("counts and parts are for people", () => {
  expect([7, 1_000, 1_234_567].map(formatCount)).toEqual(["7", "1,000", "1,234,567"]);
  expect(formatPercent(toPart(1, 3))).toBe("33 %");
  expect(formatPercent(toPart(1, 0))).toBe("-");
});

describe("--since", () => {
  const nowMs = Date.parse("2026-11-22T12:00:00Z");

  it("takes days, weeks, hours and dates", () => {
    const read = (text: string): string => new Date(parseSince(text, nowMs) ?? 0).toISOString();
    expect(read("30d")).toBe("2026-10-23T12:00:00.000Z");
    expect(read("2w")).toBe("2026-11-08T12:00:00.000Z");
    expect(read("12h")).toBe("2026-11-22T00:00:00.000Z");
    expect(read("2026-11-01")).toBe("2026-11-01T00:00:00.000Z");
  });

  it.each(["", "x", "30", "-3h", "2026-99-01", "d"])("refuses %j", (text) => {
    expect(parseSince(text, nowMs)).toBeUndefined();
  });
});
