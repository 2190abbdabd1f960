import { describe, expect, it } from "vitest";
import { createOriginGuard } from "./origin-guard.ts";
import { readDefinition } from "./read-definition.ts";

function allows(address: string, more = "", webhook = "{}"): boolean {
  const { definition } = readDefinition(
    "/d/channel.yaml",
    `
id: x
inbound: {http_webhook: ${webhook}}
outbound:
  send: {url: "https://chat.example.com/api"}
  update: {url: "{{config.api}}/edit"}
  confirm: {url: "{{msg.metadata.url}}/ask"}
${more}`,
  );
  const config: Readonly<Record<string, string>> = {
    api: "http://10.0.0.7:8080/x",
    extra: "http://127.0.0.1:99",
  };
  const guard = createOriginGuard({ ...definition, tools: [] }, { config: (key) => config[key] });
  return guard.allows(new URL(address));
}

const hosts =
  'allowed_hosts: ["files.example.net", "*.cdn.example.net", "{{config.extra}}", "{{config.none}}"]';
const signed = "{validate_jwt: true, oidc_endpoint: 'https://id.example.org', audience: a}";

describe("where data may send a request", () => {
  it.each([
    ["https://chat.example.com/other", true],
    ["https://files.chat.example.com/", true],
    ["http://10.0.0.7:8080/", true],
    ["https://example.com/", false],
    ["https://evilchat.example.com/", false],
    ["https://chat.example.com.evil.net/", false],
    ["http://chat.example.com/", false],
    ["https://chat.example.com:8443/", false],
    ["https://user@chat.example.com/", false],
    ["http://10.0.0.7:8081/", false],
    ["https://x.10.0.0.7.nip.io/", false],
    ["http://169.254.169.254/", false],
  ])("%s: %s", (address, isAllowed) => {
    expect(allows(address)).toBe(isAllowed);
  });

  it("is also what the operator names", () => {
    expect(allows("https://files.example.net/", hosts)).toBe(true);
    expect(allows("https://a.cdn.example.net/", hosts)).toBe(true);
    expect(allows("http://127.0.0.1:99/", hosts)).toBe(true);
    expect(allows("https://cdn.example.net/", hosts)).toBe(false);
    expect(allows("http://files.example.net/", hosts)).toBe(false);
  });

  it("is any public name where a token vouches for the event, and nothing inside", () => {
    expect(allows("https://smba.anywhere.net/", "", signed)).toBe(true);
    for (const address of [
      "http://smba.anywhere.net/",
      "https://10.0.0.1/",
      "https://[::1]/",
      "https://localhost/",
      "https://db.internal/",
    ]) {
      expect([address, allows(address, "", signed)]).toEqual([address, false]);
    }
  });
});
