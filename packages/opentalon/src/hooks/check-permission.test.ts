import { describe, expect, it } from "vitest";
import { checkPermission } from "./check-permission.ts";

const ask = (content: string, isError = false) =>
  checkPermission("gate", { actor: "c:ann", plugin: "jira" }, () =>
    Promise.resolve({ content, isError }),
  );

describe("the permission plugin", () => {
  it.each(["true", " TRUE\n", `{"allowed": true}`])("allows on %j", async (text) =>
    expect(await ask(text)).toBe(true),
  );

  it.each(["false", "", "yes", "1", `{"allowed":"true"}`, "null", "[true]", `"true"`])(
    "denies on %j",
    async (text) => expect(await ask(text)).toBe(false),
  );

  it("denies when the check fails", async () => expect(await ask("true", true)).toBe(false));
});
