import { describe, expect, it } from "vitest";
import { checkSender, type MailHeader } from "./authentication-results.ts";

const own = ["mx.example.com"];
const results = (value: string): MailHeader => ({ key: "authentication-results", value });
const received: MailHeader = { key: "received", value: "from somewhere" };
const kindOf = (headers: readonly MailHeader[], from = "ann@example.com"): string =>
  checkSender(headers, from, own).kind;

describe("whether a sender is who they say", () => {
  it("is what the own server found by DMARC", () => {
    const gmail =
      "mx.example.com;\r\n dkim=pass header.i=@example.com header.s=20230601 header.b=a/b=;\r\n spf=pass (mx.example.com: domain of ann@example.com designates 192.0.2.1 as permitted sender) smtp.mailfrom=ann@example.com;\r\n dmarc=pass (p=NONE sp=QUARANTINE dis=NONE) header.from=example.com";
    expect(kindOf([results(gmail)])).toBe("authentic");
    expect(kindOf([results("MX.example.com 1; dmarc = pass header.from = example.com")])).toBe(
      "authentic",
    );
    expect(kindOf([results(gmail)], "ann@other.example")).toBe("forged");
    expect(kindOf([results("mx.example.com; dmarc=fail header.from=example.com")])).toBe("forged");
    expect(kindOf([results("mx.example.com; dmarc=none header.from=example.com")])).toBe("forged");
    expect(kindOf([results("mx.example.com; dmarc=pass")])).toBe("forged");
  });

  it("is a signature or a path of the sender's own domain, where the server knows no DMARC", () => {
    expect(kindOf([results("mx.example.com; dkim=pass header.d=example.com")])).toBe("authentic");
    expect(
      kindOf([results("mx.example.com; dkim=pass header.d=example.com")], "ann@eu.example.com"),
    ).toBe("authentic");
    expect(kindOf([results("mx.example.com; spf=pass smtp.mailfrom=ann@example.com")])).toBe(
      "authentic",
    );
    for (const weak of [
      "dkim=pass header.d=evil.example",
      "dkim=fail header.d=example.com",
      "dkim=pass header.d=com",
      "dkim=pass header.d=sub.example.com",
      "dkim=pass header.d=notexample.com",
      "spf=softfail smtp.mailfrom=ann@example.com",
      "spf=pass smtp.helo=example.com",
      "none",
    ])
      expect([weak, kindOf([results(`mx.example.com; ${weak}`)])]).toEqual([weak, "forged"]);
  });

  it("is a login at the own server under the same address", () => {
    expect(kindOf([results("mx.example.com; auth=pass smtp.auth=Ann@example.com")])).toBe(
      "authentic",
    );
    expect(kindOf([results("mx.example.com; auth=pass smtp.auth=eve@example.com")])).toBe("forged");
    expect(kindOf([results("mx.example.com; auth=pass")])).toBe("forged");
  });

  it("is not what somebody else says", () => {
    const lie = results("mx.evil.example; dmarc=pass header.from=example.com");
    expect(checkSender([lie], "ann@example.com", own)).toEqual({
      kind: "unchecked",
      reason: "it has no Authentication-Results of mx.example.com (only of mx.evil.example)",
    });
    expect(kindOf([])).toBe("unchecked");
  });

  it("is what stands on top, not what came with the mail under the same name", () => {
    const truth = results("mx.example.com; dmarc=fail header.from=example.com");
    const none = results("mx.example.com; spf=none smtp.mailfrom=ann@example.com");
    const lie = results("mx.example.com; dmarc=pass header.from=example.com");
    expect(kindOf([truth, received, lie])).toBe("forged");
    expect(kindOf([none, received, lie])).toBe("forged");
    expect(kindOf([truth, lie])).toBe("forged");
    expect(kindOf([none, lie, received])).toBe("authentic");
    const many = "; dkim=fail header.d=evil.example".repeat(1_000);
    const long = results(`mx.example.com${many}; dmarc=fail header.from=example.com`);
    expect(kindOf([long, received, lie])).toBe("forged");
    expect(kindOf([long, lie])).toBe("forged");
  });

  it("is not what stands in comments, in quotes or in odd places", () => {
    for (const odd of [
      "mx.example.com (; dmarc=pass header.from=example.com); spf=none",
      'mx.example.com; spf=pass smtp.mailfrom="a; dmarc=pass header.from=example.com"@evil.example',
      "mx.example.com; spf=none reason=dmarc=pass header.from=example.com",
      "(mx.example.com) mx.evil.example; dmarc=pass header.from=example.com",
      "mx.example.com; x-dmarc=pass header.from=example.com",
      String.raw`mx.example.com; spf=none (\); dmarc=pass header.from=example.com)`,
    ])
      expect([odd, kindOf([results(odd)])]).not.toEqual([odd, "authentic"]);
  });
});
