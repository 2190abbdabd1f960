import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { protocolFolder, renderProtocolPages } from "./protocol-reference.ts";

it("the reference of the protocol is current: `make generate` changes nothing", () => {
  const pages = renderProtocolPages();
  expect([...pages.keys()].toSorted()).toEqual(["channel.md", "plugin.md", "provider.md"]);
  expect(readdirSync(protocolFolder).toSorted()).toEqual([...pages.keys()].toSorted());
  for (const [name, text] of pages)
    expect(readFileSync(join(protocolFolder, name), "utf8"), name).toBe(text);
});

it("every method, field and value is explained", () => {
  const pages = [...renderProtocolPages().values()].join("\n");
  const rows = pages.match(/^\| `.*$/gm) ?? [];
  expect(rows.length).toBeGreaterThan(100);
  expect(rows.filter((row) => /\|\s*\|$/.test(row))).toEqual([]);
  const headings = pages.match(/^### .*$/gm) ?? [];
  expect(headings.length).toBeGreaterThan(40);
  expect(pages).not.toMatch(/^### \w+\n+### /m);
});
