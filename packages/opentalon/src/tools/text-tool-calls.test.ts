import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderTools } from "./render-tools.ts";
import { createParameter, createTool } from "./testing/create-tool.ts";
import { parseTextReply, type TextReply } from "./text-tool-calls.ts";
import { createToolCallFilter } from "./tool-call-filter.ts";
import { toToolSpecification } from "./tool-specification.ts";

const forecast = { id: "call-1", name: "weather__forecast", arguments: { city: "Bern", days: 3 } };
const json = '{"tool":"weather__forecast","args":{"city":"Bern","days":3}}';

function parse(reply: string): TextReply {
  let count = 0;
  return parseTextReply(reply, { createCallId: () => `call-${(count += 1)}` });
}

/** Whatever the pieces are, the filter shows what it would show of the whole. */
function show(reply: string, pieceLength: number): string {
  const filter = createToolCallFilter();
  let shown = "";
  for (let start = 0; start < reply.length; start += pieceLength) {
    shown += filter.push(reply.slice(start, start + pieceLength));
  }
  return shown + filter.flush();
}

describe("tool calls in a reply", () => {
  it.each([
    ["the form asked for", `[tool_call]${json}[/tool_call]`],
    ["with white space", `[tool_call]\n  ${json}\n[/tool_call]\n`],
    ["without the closing marker", `[tool_call]${json}`],
    ["in capitals", `[TOOL_CALL]${json}[/TOOL_CALL]`],
    ["in a fence inside", `[tool_call]\n\`\`\`json\n${json}\n\`\`\`\n[/tool_call]`],
    [
      "with other words for the parts",
      '[tool_call]{"name":"weather__forecast","arguments":{"city":"Bern","days":3}}',
    ],
    [
      "the name, then JSON",
      '[tool_call]\nweather__forecast\n{"city":"Bern","days":3}\n[/tool_call]',
    ],
    ["like a function", '[tool_call]weather__forecast(city="Bern", days=3)[/tool_call]'],
    ["like a function, with colons", "[tool_call] weather__forecast(city: Bern, days: 3)"],
    [
      "like a function, with single quotes",
      "[tool_call]weather__forecast(city='Bern', days=3);[/tool_call]",
    ],
    ["nothing but JSON", `  ${json}\n`],
    ["nothing but JSON, with a dot", json.replace("__", ".")],
    ["nothing but JSON in a fence", `\`\`\`json\n${json}\n\`\`\``],
  ])("are found: %s", (_, reply) => {
    const name = reply.includes(".") ? "weather.forecast" : forecast.name;
    expect(parse(reply)).toEqual({ text: "", toolCalls: [{ ...forecast, name }] });
  });

  it("are found as XML, with texts as values", () => {
    const xml =
      '<function_calls>\n<invoke name="weather__forecast"><parameter name="city">B &lt; C &amp;lt;</parameter><parameter name="days">3</parameter></invoke>\n</function_calls>';
    expect(parse(xml)).toEqual({
      text: "",
      toolCalls: [{ ...forecast, arguments: { city: "B < C &lt;", days: "3" } }],
    });
  });

  it("are taken out of the text around them, in order", () => {
    let next = 0;
    const reply = `First. [tool_call]${json}[/tool_call] Then. [tool_call]{"tool":"a__b"}[/tool_call] Done.`;
    const parsed = parseTextReply(reply, { createCallId: () => `id-${(next += 1)}` });
    expect(parsed.text).toBe("First.  Then.  Done.");
    expect(parsed.toolCalls.map(({ id, name }) => [id, name])).toEqual([
      ["id-1", "weather__forecast"],
      ["id-2", "a__b"],
    ]);
  });

  it("may hold markers inside their own texts", () => {
    const args = { text: "[tool_call] \"x\" } [/tool_call] <invoke name='a__b'>" };
    const reply = `[tool_call]${JSON.stringify({ tool: "a__b", args })}[/tool_call]after`;
    expect(parse(reply)).toEqual({
      text: "after",
      toolCalls: [{ id: "call-1", name: "a__b", arguments: args }],
    });
  });

  it.each([
    ["broken JSON", '[tool_call]{"tool":"a__b","args":{[/tool_call]', '{"tool":"a__b","args":{'],
    ["no JSON at all", "[tool_call]please[/tool_call]", "please"],
    ["no name", '[tool_call]{"args":{}}[/tool_call]', '{"args":{}}'],
    [
      "arguments that are no object",
      '[tool_call]{"tool":"a__b","args":[1]}[/tool_call]',
      '{"tool":"a__b","args":[1]}',
    ],
    ["a broken list", "[tool_call]a__b(x)[/tool_call]", "a__b(x)"],
  ])("that cannot be read are calls all the same: %s", (_, reply, invalidArguments) => {
    expect(parse(reply)).toMatchObject({
      text: "",
      toolCalls: [{ arguments: {}, invalidArguments }],
    });
  });

  it("that are not closed never get the parameters of the next", () => {
    const xml =
      '<invoke name="a__b"><parameter name="x">1</parameter><invoke name="c__d"><parameter name="y">2</parameter></invoke>';
    expect(parse(xml).toolCalls).toMatchObject([
      { name: "a__b", arguments: { x: "1" } },
      { name: "c__d", arguments: { y: "2" } },
    ]);
  });

  it.each([
    "Just words.",
    'Here is how: {"tool":"weather__forecast","args":{}}',
    '{"tool":"hammer","weight":3}',
    '{"tool":"hammer","args":{}}',
    '```json\n{"tool":"hammer","args":{"size":3}}\n```',
    '{"name":"weather__forecast","arguments":{}}',
    'In BPEL you write <invoke name="buy"> to call a partner.',
    "(tool_call]{}[/tool_call]",
    "",
  ])("are not seen in ordinary words: %s", (reply) => {
    expect(parse(reply)).toEqual({ text: reply, toolCalls: [] });
    expect(show(reply, 3)).toBe(reply);
  });

  it("are no more than a model can mean", () => {
    const { toolCalls, text } = parse(`[tool_call]${json}[/tool_call]`.repeat(100));
    expect(toolCalls).toHaveLength(32);
    expect(text).toBe("");
  });

  it("are found in time in proportion to the length", () => {
    for (const flood of [
      "[tool_call]",
      "[tool_call]{",
      '[tool_call]{"',
      "<invoke ",
      '<invoke name="a__b">',
      "[tool_call]a(",
      "a=[,",
      "a=',",
    ]) {
      const startedAt = performance.now();
      const reply = flood.repeat(50_000);
      parse(reply);
      parse(`[tool_call]f(${reply})`);
      show(reply, 10_000);
      expect(performance.now() - startedAt, flood).toBeLessThan(5_000);
    }
  });

  it("never make the parser throw", () => {
    const pieces = fc.constantFrom(
      "[tool_call]",
      "[/tool_call]",
      json,
      "a__b",
      "(",
      ")",
      "=",
      ",",
      '"',
      "{",
      "}",
      "<invoke ",
      'name="a__b">',
      "</invoke>",
      '<parameter name="x">',
      "</parameter>",
      "```json\n",
      "```",
      " ",
      "\n",
      "\\",
      "'",
      "text",
    );
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 20 }),
        fc.integer({ min: 1, max: 9 }),
        (parts, pieceLength) => {
          const reply = parts.join("");
          const { text, toolCalls } = parse(reply);
          const shown = show(reply, pieceLength);
          expect(shown.replaceAll(/\s+/g, "")).toBe(text.replaceAll(/\s+/g, ""));
          if (toolCalls.length > 0) expect(shown).not.toContain("[tool_call]");
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe("the filter of live text", () => {
  it("shows text at once and holds back a call", () => {
    const filter = createToolCallFilter();
    expect(filter.push("Let me look [to")).toBe("Let me look ");
    expect(filter.push("day].")).toBe("[today].");
    expect(filter.push(" [tool_ca")).toBe(" ");
    expect(filter.push(`ll]${json}`)).toBe("");
    expect(filter.push("[/tool_call] more")).toBe("");
    expect(filter.flush()).toBe("more");
  });

  it("holds back a reply that may be nothing but a call, until it is clear", () => {
    const call = createToolCallFilter();
    for (const letter of json) expect(call.push(letter)).toBe("");
    expect(call.flush()).toBe("");
    const data = createToolCallFilter();
    expect(data.push('{"to')).toBe("");
    expect(data.push('day":1}')).toBe('{"today":1}');
  });
});

describe("the list of tools in a prompt", () => {
  it("says how to call and what there is", () => {
    const tool = createTool({
      description: "Forecast\nfor a city",
      parameters: [
        createParameter("city", { required: true, description: "Where" }),
        createParameter("unit", { schema: '{"type":"string","enum":["C","F"]}' }),
      ],
    });
    const specification = toToolSpecification(tool);
    const prompt = renderTools(specification === undefined ? [] : [specification]);
    expect(prompt).toContain(
      '[tool_call]{"tool":"<name>","args":{"<argument>":"<value>"}}[/tool_call]',
    );
    expect(prompt).toContain(
      '- weather__forecast: Forecast for a city\n  - city (string, required): Where\n  - unit ({"type":"string","enum":["C","F"]})',
    );
    expect(renderTools([])).toBe("");
  });
});

describe("arguments nested beyond all sense", () => {
  it("are answered with how to do it right", () => {
    const deep = "[".repeat(3_000) + "]".repeat(3_000);
    const reply = `[tool_call]{"tool":"p__a","args":{"x":${deep}}}[/tool_call]`;
    const { toolCalls } = parseTextReply(reply, { createCallId: () => "1" });
    expect(toolCalls).toHaveLength(1);
    expect(toolCalls[0]?.invalidArguments).toContain("p__a");
  });
});
