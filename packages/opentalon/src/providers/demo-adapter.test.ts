import { describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import type { ModelReply, ModelRequest } from "../domain/model.ts";
import { createDemoAdapter, demoModel } from "./demo-adapter.ts";
import { createRequest, describeModelAdapter } from "./model-adapter.contract.ts";

describeModelAdapter("demo", async () => {
  const adapter = createDemoAdapter({ clock: systemClock, wordDelayMs: 0 });
  return { adapter, model: demoModel, [Symbol.asyncDispose]: adapter[Symbol.asyncDispose] };
});

describe("the demo model", () => {
  const adapter = createDemoAdapter({ clock: systemClock, wordDelayMs: 0 });
  const ask = (change: Partial<ModelRequest>): Promise<ModelReply> =>
    adapter.stream({
      model: demoModel,
      request: createRequest(change),
      credential: undefined,
      signal: new AbortController().signal,
      onText: () => undefined,
    });

  it("says in each answer that it is a demo and how to connect a real model", async () => {
    const { text } = await ask({ messages: [{ role: "user", content: "Hello there" }] });
    expect(text).toMatch(/^\[demo\] Hello! You said “Hello there”\./);
    expect(text).toContain("OPENAI_API_KEY");
  });

  it("refers to what was said before", async () => {
    const { text } = await ask({
      messages: [
        { role: "user", content: "My name is Ada." },
        { role: "assistant", content: "[demo] …", toolCalls: [] },
        { role: "user", content: "What is my name?" },
      ],
    });
    expect(text).toContain("Good question: “What is my name?”");
    expect(text).toContain("Before that you said “My name is Ada.”");
  });

  it("names the files that came along, and quotes nothing where nothing was said", async () => {
    const files = [{ name: "voice.ogg", mimeType: "audio/ogg", data: Buffer.from("OggS") }];
    const { text } = await ask({
      messages: [
        { role: "user", content: "" },
        { role: "assistant", content: "[demo] …", toolCalls: [] },
        { role: "user", content: "", files },
      ],
    });
    expect(text).toMatch(
      /^\[demo\] I got your message, but it holds no words\. With it came voice\.ogg \(audio\/ogg\)/,
    );
    expect(text).not.toContain("Before that");
  });

  it("answers the same thing the same way", async () => {
    expect((await ask({})).text).toBe((await ask({})).text);
  });

  it("calls no tools and says that a real model could", async () => {
    const tools = [{ name: "a__b", description: "", inputSchema: {} }];
    const reply = await ask({ tools });
    expect(reply.toolCalls).toEqual([]);
    expect(reply.text).toContain("could use tools");
  });

  it("quotes a long message only in part", async () => {
    const { text } = await ask({ messages: [{ role: "user", content: "x".repeat(100_000) }] });
    expect(text.length).toBeLessThan(600);
  });
});
