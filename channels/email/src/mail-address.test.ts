import { describe, expect, it } from "vitest";
import { parseAddresses, toAddress, toOneLine, withoutTag } from "./mail-address.ts";

describe("addresses", () => {
  it("have one form each", () => {
    expect(toAddress("Ann.Lee@Example.COM")).toBe("ann.lee@example.com");
    expect(toAddress("ann@bücher.example")).toBe("ann@xn--bcher-kva.example");
    expect(toAddress("jürgen@example.com")).toBe("jürgen@example.com");
    expect(withoutTag("talon+shop@example.com")).toBe("talon@example.com");
  });

  it.each([
    "ann",
    "@example.com",
    "ann@",
    "ann@exa mple.com",
    "ann@[127.0.0.1]",
    '"ann lee"@example.com',
    "ann@example.com\r\nBcc: eve@example.com",
    "ann\u0000@example.com",
    "ann,eve@example.com",
    "<ann@example.com>",
    "ann\u202e@example.com",
    `${"a".repeat(300)}@example.com`,
  ])("are none where there is a doubt: %j", (text) => {
    expect(toAddress(text)).toBeUndefined();
  });

  it("are read from headers, groups too, and never out of a name", () => {
    expect(parseAddresses('"eve@evil.example" <ann@example.com>')).toEqual([
      { name: "eve@evil.example", address: "ann@example.com" },
    ]);
    const addresses = parseAddresses("Team: a@x.example, B <b@x.example>;, c@x.example");
    expect(addresses.map(({ address }) => address)).toEqual([
      "a@x.example",
      "b@x.example",
      "c@x.example",
    ]);
  });

  it("never bring a line of their own into a header or a log", () => {
    expect(toOneLine("Hello\r\nBcc: eve@example.com\u2028x")).toBe("Hello Bcc: eve@example.com x");
  });
});
