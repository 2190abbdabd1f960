import { describe, expect, it } from "vitest";
import type { Model, ModelReply, ModelRequest } from "../domain/model.ts";
import type { TranscriptMessage } from "../domain/session.ts";
import { createRequestFitter } from "./request-fitter.ts";

const modelOf = (name: string, contextWindow = 0): Model => ({
  name,
  provider: "p",
  id: name,
  nativeTools: true,
  contextWindow,
  maxTokens: 100,
  input: ["text"],
  cost: { input: 0, output: 0 },
});
/** Two messages of 350 characters: 214 tokens, as we estimate. */
const turn = (letter: string): TranscriptMessage[] => [
  { role: "user", content: letter.repeat(350) },
  { role: "assistant", content: letter.repeat(350), toolCalls: [] },
];
const question: TranscriptMessage = { role: "user", content: "and now?" };
const requestOf = (turns: number, ...running: TranscriptMessage[]): ModelRequest => ({
  system: "be kind",
  messages: [
    ...Array.from({ length: turns }, (_, index) => turn(String.fromCharCode(97 + index))).flat(),
    question,
    ...running,
  ],
  tools: [],
  sessionKey: "s",
});
const replyOf = (model: Model, inputTokens: number): ModelReply => ({
  text: "ok",
  toolCalls: [],
  finishReason: "stop",
  usage: { inputTokens, outputTokens: 1 },
  model: model.name,
});
const untold = { limitTokens: undefined, sentTokens: undefined };
const countTurns = (request: ModelRequest | undefined): number =>
  (request?.messages.filter(({ role }) => role === "user").length ?? 0) - 1;

describe("fitting a request", () => {
  it("sends the whole of it to a model whose window nobody knows", () => {
    const request = requestOf(30);
    expect(createRequestFitter()(request).forModel(modelOf("m"))).toEqual(request);
  });

  it("sends each model what fits its own window, the newest turns", () => {
    const fitted = createRequestFitter()(requestOf(10));
    expect(countTurns(fitted.forModel(modelOf("small", 1_000)))).toBe(2);
    expect(countTurns(fitted.forModel(modelOf("large", 100_000)))).toBe(10);
    const messages = fitted.forModel(modelOf("small", 1_000))?.messages;
    expect(messages?.at(-2)?.content).toMatch(/^j+$/);
    expect(messages?.at(-1)).toEqual(question);
  });

  it("begins with the same turn until that no longer fits, so that prompt caches hold", () => {
    const fitter = createRequestFitter();
    const begins = Array.from({ length: 10 }, (_, index) => {
      const request = fitter(requestOf(8 + index)).forModel(modelOf("m", 2_000));
      expect(countTurns(request)).toBeGreaterThanOrEqual(6);
      return request?.messages[0]?.content[0];
    });
    // Eight turns fit; when they do not, six of them stay.
    expect(begins.join("")).toBe("adddgggjjj");
  });

  it("leaves half of the earlier turns out after each refusal, down to the question alone", () => {
    const fitted = createRequestFitter()(requestOf(40));
    const model = modelOf("m");
    const sent = [countTurns(fitted.forModel(model))];
    while (fitted.shorten(model, untold)) sent.push(countTurns(fitted.forModel(model)));
    expect(sent).toEqual([40, 20, 10, 5, 0]);
    expect(fitted.forModel(model)?.messages).toEqual([question]);
  });

  it("then cuts results of the running turn, and never sends the same twice", () => {
    const call = { id: "1", name: "a__b", arguments: {} };
    const running: TranscriptMessage[] = [
      { role: "assistant", content: "", toolCalls: [call] },
      { role: "tool", callId: "1", tool: "a__b", content: "x".repeat(20_000), isError: false },
    ];
    const fitted = createRequestFitter()(requestOf(1, ...running));
    const model = modelOf("m");
    const sent = [fitted.forModel(model)];
    while (fitted.shorten(model, untold)) sent.push(fitted.forModel(model));
    const lengths = sent.map((request) => JSON.stringify(request).length);
    expect(lengths).toEqual([...lengths].sort((one, other) => other - one));
    expect(new Set(lengths).size).toBe(lengths.length);
    expect(sent.length).toBeLessThanOrEqual(7);
    expect(sent.map(countTurns)).toEqual([1, ...sent.slice(1).map(() => 0)]);
    expect(sent.at(-1)?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool"]);
    expect(sent.at(-1)?.messages.at(-1)?.content).toContain("characters left out");
  });

  it("cuts results before it asks when the window is known", () => {
    const running: TranscriptMessage[] = [
      { role: "assistant", content: "", toolCalls: [{ id: "1", name: "a__b", arguments: {} }] },
      { role: "tool", callId: "1", tool: "a__b", content: "x".repeat(20_000), isError: false },
    ];
    const request = createRequestFitter()(requestOf(3, ...running)).forModel(modelOf("m", 2_000));
    expect(countTurns(request)).toBe(0);
    expect(JSON.stringify(request).length).toBeLessThan(2_000 * 3.5);
  });

  it("fits at once what the refusal told, and remembers it for the next request", () => {
    const fitter = createRequestFitter();
    const model = modelOf("m");
    const fitted = fitter(requestOf(10));
    fitted.forModel(model);
    expect(fitted.shorten(model, { limitTokens: 1_000, sentTokens: undefined })).toBe(true);
    expect(countTurns(fitted.forModel(model))).toBe(3);
    expect(countTurns(fitter(requestOf(10)).forModel(model))).toBe(2);
  });

  it("does not believe a limit that would put the model out of use", () => {
    const fitter = createRequestFitter();
    const model = modelOf("m");
    const fitted = fitter(requestOf(10));
    fitted.forModel(model);
    fitted.shorten(model, { limitTokens: 3, sentTokens: undefined });
    expect(countTurns(fitter(requestOf(10)).forModel(model))).toBe(10);
  });

  it("remembers what a model took that told no limit", () => {
    const fitter = createRequestFitter();
    const model = modelOf("m");
    const fitted = fitter(requestOf(16));
    fitted.forModel(model);
    fitted.shorten(model, untold);
    expect(countTurns(fitted.forModel(model))).toBe(8);
    fitted.learn(replyOf(model, 1_800));
    const next = fitter(requestOf(16));
    expect(countTurns(next.forModel(model))).toBe(8);
    // Between what was taken and what was refused there is room for more.
    expect(countTurns(fitter(requestOf(11)).forModel(model))).toBe(11);
  });

  it("learns nothing for others from the refusal of a request with files", () => {
    const fitter = createRequestFitter();
    const model = modelOf("m");
    const files = [{ name: "a.png", mimeType: "image/png", data: new Uint8Array(9) }];
    const [first, ...rest] = requestOf(2).messages;
    const withFiles = first?.role === "user" ? [{ ...first, files }, ...rest] : [];
    const fitted = fitter({ ...requestOf(2), messages: withFiles });
    fitted.forModel(model);
    expect(fitted.shorten(model, { limitTokens: undefined, sentTokens: 1_000_000 })).toBe(true);
    fitted.forModel(model);
    fitted.learn(replyOf(model, 0));
    expect(countTurns(fitter(requestOf(100)).forModel(model))).toBe(100);
    const narrow = modelOf("m", 8_000);
    expect(countTurns(fitter(requestOf(100)).forModel(narrow))).toBe(
      countTurns(createRequestFitter()(requestOf(100)).forModel(narrow)),
    );
  });

  it("measures its estimates against what models report, within bounds", () => {
    const fitter = createRequestFitter();
    const model = modelOf("m", 10_000);
    let session = 0;
    const ask = (tokens: (estimate: number) => number): number => {
      const fitted = fitter({ ...requestOf(100), sessionKey: String((session += 1)) });
      const turns = countTurns(fitted.forModel(model));
      fitted.learn(replyOf(model, tokens(turns * 214 + 17)));
      return turns;
    };
    const before = ask((estimate) => estimate * 2);
    for (let time = 0; time < 30; time += 1) ask((estimate) => estimate * 2);
    expect(ask((estimate) => estimate * 2) / before).toBeCloseTo(0.5, 1);
    for (let time = 0; time < 60; time += 1) ask(() => 1);
    expect(ask(() => 1) / before).toBeCloseTo(1 / 0.7, 1);
  });

  it("asks a further model only when it may read more", () => {
    const fitted = createRequestFitter()(requestOf(4));
    const model = modelOf("m", 1_000);
    fitted.forModel(model);
    while (fitted.shorten(model, untold));
    expect(fitted.forModel(modelOf("equal", 1_000))).toBeUndefined();
    expect(fitted.forModel(modelOf("unknown"))).toBeDefined();
    expect(countTurns(fitted.forModel(modelOf("large", 10_000)))).toBe(4);
  });
});
