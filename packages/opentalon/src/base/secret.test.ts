import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createPassingSecret, createSecret, isSecret, redactSecrets } from "./secret.ts";

describe("a secret", () => {
  const secret = createSecret("correct horse battery");

  it("gives its text to nobody but who asks for it", () => {
    expect(secret.reveal()).toBe("correct horse battery");
    const shown = [
      String(secret),
      JSON.stringify({ secret }),
      inspect({ deep: { secret } }),
      "".concat(String(secret)),
    ];
    for (const text of shown) expect(text).not.toContain("horse");
  });

  it("is removed from any text, in its JSON form too", () => {
    createSecret('with "quotes" and\nlines');
    expect(redactSecrets("key=correct horse battery;")).toBe("key=[secret];");
    const line = JSON.stringify({ msg: 'it was: with "quotes" and\nlines' });
    expect(JSON.parse(redactSecrets(line))).toEqual({ msg: "it was: [secret]" });
  });

  it("is removed where another one is a part of it or overlaps it", () => {
    for (const text of ["abcdef", "abcdefGHIJKLMN", "KLMNopqrst"]) createSecret(text);
    expect(redactSecrets("key abcdefGHIJKLMN.")).toBe("key [secret].");
    expect(redactSecrets("abcdefGHIJKLMNopqrst abcdef!")).toBe("[secret] [secret]!");
    expect(redactSecrets("abcdefKLMNopqrst")).toBe("[secret][secret]");
    createSecret("0101010");
    expect(redactSecrets("<010101010>")).toBe("<[secret]>");
  });

  it("that is replaced again and again is known for a while", () => {
    createSecret("token-of-long-life");
    for (let number = 0; number < 1_000; number += 1) {
      createPassingSecret(`token-number-${number};`);
      createPassingSecret("token-of-long-life");
      createPassingSecret("token-in-use");
    }
    expect(redactSecrets("token-number-999;")).toBe("[secret]");
    expect(redactSecrets("token-number-0;")).toBe("token-number-0;");
    expect(redactSecrets("token-in-use token-of-long-life")).toBe("[secret] [secret]");
    for (let number = 0; number < 1_000; number += 1) createPassingSecret(`other-number-${number}`);
    expect(redactSecrets("token-in-use token-of-long-life")).toBe("token-in-use [secret]");
  });

  it("is removed from JSON inside JSON", () => {
    createSecret('pa"ss\\word1');
    const line = JSON.stringify({ problem: JSON.stringify({ key: 'pa"ss\\word1' }) });
    const { problem } = JSON.parse(redactSecrets(line)) as { problem: string };
    expect(JSON.parse(problem)).toEqual({ key: "[secret]" });
  });

  it("cannot be imitated", () => {
    expect(isSecret(secret)).toBe(true);
    expect(isSecret({ reveal: () => "x" })).toBe(false);
  });
});
