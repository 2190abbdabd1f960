import fc from "fast-check";
import { expect, test } from "vitest";
import { ownActions, toOwnAction, toServerSlug, toToolAction } from "./action-names.ts";

test("plain names stay as they are", () => {
  expect(toToolAction("mcp", toServerSlug("jira"), "create_issue")).toBe("jira__create_issue");
  expect(toServerSlug("Jira Cloud")).toBe("Jira_Cloud");
});

test.each(["files.read", "x".repeat(60), "authorize", "get_prompt", "ü", ""])(
  "the tool %j gets a name that fits and stays",
  (tool) => {
    const name = toToolAction("mcp", "server", tool);
    expect(name).toMatch(/^server__[a-zA-Z0-9_]*-[0-9a-f]{8}$/);
    expect(`mcp__${name}`.length).toBeLessThanOrEqual(64);
    expect(toToolAction("mcp", "server", tool)).toBe(name);
  },
);

test("no two tools of no two servers share a name, and every name can be called", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 90 }),
    fc.stringMatching(/^[a-b_-]{0,6}$/),
    fc.constantFrom(...ownActions),
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(text, text), { selector: (pair) => pair.join("\0") }),
      (pairs) => {
        const slugs = pairs.map(([server, tool]) => [toServerSlug(server), tool] as const);
        const seen = new Map<string, string>();
        for (const [slug, tool] of slugs) {
          const name = toToolAction("mcp", slug, tool);
          expect(`mcp__${name}`).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
          for (const own of ownActions) expect(name).not.toBe(toOwnAction(slug, own));
          // Two servers with the same slug are refused; two different tools never meet.
          const owner = JSON.stringify([slug, tool]);
          expect(seen.get(name) ?? owner).toBe(owner);
          seen.set(name, owner);
        }
      },
    ),
  );
});
