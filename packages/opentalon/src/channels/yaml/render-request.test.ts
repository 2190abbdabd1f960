import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RequestTemplate } from "./definition.ts";
import { renderRequest } from "./render-request.ts";
import { parseTemplate, type Scope } from "./template.ts";

function request(
  url: string,
  more: { body?: string; headers?: Record<string, string> } = {},
): RequestTemplate {
  return {
    place: "outbound.send",
    method: "POST",
    url: parseTemplate(url),
    headers: Object.entries(more.headers ?? {}).map(([name, value]) => ({
      name,
      value: parseTemplate(value),
    })),
    body: more.body === undefined ? undefined : parseTemplate(more.body),
    multipart: undefined,
    isFileBody: false,
    omitsEmptyDeep: false,
    when: undefined,
  };
}

function scope(values: Readonly<Record<string, unknown>>, namespace = "event"): Scope {
  return { [namespace]: (key: string) => values[key] };
}

const json = { "Content-Type": "application/json" };
const form = { "Content-Type": "application/x-www-form-urlencoded" };
const at = (url: string, values: Readonly<Record<string, unknown>>, namespace?: string): string =>
  renderRequest(request(url), scope(values, namespace)).url.href;
const bodyOf = (
  body: string,
  values: Readonly<Record<string, unknown>>,
  headers: Record<string, string> = json,
): string =>
  renderRequest(request("https://a.example", { body, headers }), scope(values)).body?.toString() ??
  "";

describe("the address of a request", () => {
  it("keeps data in its segment and in its parameter", () => {
    expect(
      at("https://a.example/x/{{event.id}}?q={{event.q}}&z=1", { id: "a/b?c#d", q: "1&z=2#x y" }),
    ).toBe("https://a.example/x/a%2Fb%3Fc%23d?q=1%26z%3D2%23x%20y&z=1");
  });

  it("leaves characters that are no harm in a path", () => {
    expect(
      at("https://a.example/v3/{{event.id}}/x", { id: "19:abc@thread.tacv2;messageid=1" }),
    ).toBe("https://a.example/v3/19:abc@thread.tacv2;messageid=1/x");
  });

  it("takes the base and its path from the operator, and paths from answers", () => {
    expect(
      at(
        "{{env.base}}/v1/{{env.path}}",
        { base: "https://a.example/api/", path: "a/b%2Fc d" },
        "env",
      ),
    ).toBe("https://a.example/api/v1/a/b%2Fc%20d");
    expect(
      at("https://a.example/file/{{resolve.path}}", { path: "photos/1 ?.jpg" }, "resolve"),
    ).toBe("https://a.example/file/photos/1%20%3F.jpg");
  });

  it.each(["..", ".", "../admin", "a/../../b"])("refuses %s as a way up", (path) => {
    expect(() => at("https://a.example/file/{{resolve.path}}/x", { path }, "resolve")).toThrow(
      /another path/,
    );
  });

  it("refuses a way up that is written in another way", () => {
    expect(() => at("https://a.example/{{env.path}}/x", { path: "%2e%2E" }, "env")).toThrow(
      /another path/,
    );
    expect(at("https://a.example/{{event.path}}/x", { path: "%2e%2E" })).toBe(
      "https://a.example/%252e%252E/x",
    );
  });

  it("says when data decides where it goes", () => {
    const of = (url: string, values: Readonly<Record<string, unknown>>): boolean =>
      renderRequest(request(url), scope(values)).isOriginFromData;
    expect(of("{{event.url}}", { url: "https://evil.example/x" })).toBe(true);
    expect(of("https://{{event.host}}/x", { host: "evil.example" })).toBe(true);
    expect(of("https://a.example{{event.x}}", { x: ".evil.example/" })).toBe(true);
    expect(of("https://a.example/{{event.x}}", { x: "//evil.example/" })).toBe(false);
  });

  it("is an error when nothing comes of it, without its text", () => {
    expect(() => at("{{event.none}}", {})).toThrow(/outbound\.send: its url is no address/);
    expect(() => at("file:///etc/{{event.none}}", {})).toThrow(/no address/);
  });

  it("goes to the host that is written there, whatever the data", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (one, other) => {
        let url: URL;
        try {
          ({ url } = renderRequest(
            request(
              "https://a.example:8443/p/{{event.one}}/q/{{event.other}}?a={{event.one}}&b={{event.other}}",
            ),
            scope({ one, other }),
          ));
        } catch (error) {
          expect(String(error)).toMatch(/another path/);
          return;
        }
        expect(url.origin).toBe("https://a.example:8443");
        expect(url.username + url.password + url.hash).toBe("");
        expect(url.pathname.split("/").length).toBe(5);
        expect([...url.searchParams.keys()]).toEqual(["a", "b"]);
        expect(url.searchParams.get("a")).toBe(one.toWellFormed());
      }),
    );
  });
});

describe("the headers of a request", () => {
  it("hold one line each, whatever the data", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (value) => {
        const { headers } = renderRequest(
          request("https://a.example", { headers: { "X-A": "a {{event.value}} b" } }),
          scope({ value }),
        );
        expect(headers["X-A"]).not.toMatch(/[\r\n\0]/);
        expect(() => new Headers(headers)).not.toThrow();
      }),
    );
  });

  it("do not let a definition take over the length of the body", () => {
    const { headers } = renderRequest(
      request("https://a.example", { headers: { "content-length": "1" } }),
      {},
    );
    expect(headers).toEqual({});
  });
});

describe("the body of a request", () => {
  it("escapes inside of a JSON string, and writes values outside of one", () => {
    const values = { text: 'a"b\n🎉', n: 5, list: ["x"], word: "w" };
    expect(
      JSON.parse(
        bodyOf(
          '{"t":"<{{event.text}}>","n":{{event.n}},"l":{{event.list}},"w":{{event.word}}}',
          values,
        ),
      ),
    ).toEqual({
      t: '<a"b\n🎉>',
      n: 5,
      l: ["x"],
      w: "w",
    });
  });

  it("leaves out members of the top that are empty, and no others", () => {
    expect(bodyOf('{"a":"{{event.no}}","b":{{event.no}},"c":{"d":""},"e":0}', {})).toBe(
      '{"c":{"d":""},"e":0}',
    );
    expect(bodyOf("not json {{event.no}}", {})).toBe('not json ""');
  });

  it("takes what looks like JSON for JSON where no type is given", () => {
    const rendered = renderRequest(
      request("https://a.example", { body: '{"a":"{{event.a}}"}' }),
      scope({ a: '"' }),
    );
    expect(rendered.headers).toEqual({ "Content-Type": "application/json" });
    expect(rendered.body?.toString()).toBe(String.raw`{"a":"\""}`);
  });

  it("escapes in forms, and leaves other text alone", () => {
    expect(bodyOf("a={{event.a}}&b=1", { a: "x&b=2 ü" }, form)).toBe("a=x%26b%3D2%20%C3%BC&b=1");
    expect(bodyOf("{{event.a}}!", { a: '"x"' }, { "Content-Type": "text/plain" })).toBe('"x"!');
  });

  it("is the JSON that was meant, whatever the data", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.constantFrom('"', "\\", '","x":"', "}"),
    );
    fc.assert(
      fc.property(text, text, (one, other) => {
        const body =
          '{"k\\"":"<{{event.one}}>","in":{"deep":"{{event.other}}"},"out":{{event.other}}}';
        const parsed = JSON.parse(bodyOf(body, { one, other })) as Record<string, unknown>;
        expect(parsed['k"']).toBe(`<${one.toWellFormed()}>`);
        expect(parsed["in"]).toEqual({ deep: other.toWellFormed() });
        expect(Object.keys(parsed).filter((key) => !['k"', "in", "out"].includes(key))).toEqual([]);
      }),
    );
  });
});
