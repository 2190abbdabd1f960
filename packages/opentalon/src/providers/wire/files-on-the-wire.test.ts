import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import type { ModelInput } from "../../domain/model.ts";
import type { TranscriptMessage } from "../../domain/session.ts";
import { createSampleFile, createTextFile } from "../../domain/testing/sample-files.ts";
import { createAnthropicAdapter } from "../sdk/anthropic-adapter.ts";
import { createGoogleAdapter } from "../sdk/google-adapter.ts";
import { createModel, createRequest } from "../model-adapter.contract.ts";
import type { ModelAdapter } from "../model-adapter.ts";
import { createOpenAiCompatibleAdapter } from "../chat-completions/openai-compatible-adapter.ts";
import { createOpenAiResponsesAdapter } from "../sdk/openai-responses-adapter.ts";
import type { SdkAdapterOptions } from "../sdk/sdk-adapter.ts";
import { createModelServer } from "../testing/model-server.ts";
import { anthropicMessages, googleGenerativeAi, openAiResponses } from "../testing/wire-format.ts";
import type { WireFormat } from "../testing/wire-format.ts";

const png = createSampleFile("png");
const pdf = createSampleFile("pdf", { name: "plan.pdf" });
const sound = createSampleFile("wav");
const base64 = ({ data }: { readonly data: Uint8Array }): string =>
  Buffer.from(data).toString("base64");

const history: readonly TranscriptMessage[] = [
  { role: "user", content: "look", files: [png, pdf, createTextFile("a line")] },
  { role: "assistant", content: "seen", toolCalls: [] },
  { role: "user", content: "", files: [png] },
];
const block = expect.stringMatching(/^\[attached_file .*a line.*\n\nlook$/s) as string;
const soundLine =
  '[file "sample.wav" (audio/wav, 16 bytes) is attached; this model cannot read it]';

interface Api {
  readonly name: string;
  readonly wire?: WireFormat;
  readonly create: (options: SdkAdapterOptions) => ModelAdapter;
  /** What a request holds of the person's messages. */
  readonly read: (body: never) => readonly unknown[];
  readonly first: readonly unknown[];
  readonly last: readonly unknown[];
  readonly sound: readonly unknown[];
}

interface Said {
  readonly role: string;
  readonly content: unknown;
}

const isUser = ({ role }: { readonly role: string }): boolean => role === "user";

const apis: readonly Api[] = [
  {
    name: "openai-completions",
    create: createOpenAiCompatibleAdapter,
    read: ({ messages }: { messages: readonly Said[] }) =>
      messages.filter(isUser).map(({ content }) => content),
    first: [
      { type: "image_url", image_url: { url: `data:image/png;base64,${base64(png)}` } },
      {
        type: "file",
        file: { filename: "plan.pdf", file_data: `data:application/pdf;base64,${base64(pdf)}` },
      },
      { type: "text", text: block },
    ],
    last: [{ type: "image_url", image_url: { url: `data:image/png;base64,${base64(png)}` } }],
    sound: [{ type: "input_audio", input_audio: { data: base64(sound), format: "wav" } }],
  },
  {
    name: "anthropic-messages",
    wire: anthropicMessages,
    create: createAnthropicAdapter,
    read: ({ messages }: { messages: readonly Said[] }) =>
      messages.filter(isUser).map(({ content }) => content),
    first: [
      { type: "image", source: { type: "base64", media_type: "image/png", data: base64(png) } },
      {
        type: "document",
        title: "plan.pdf",
        source: { type: "base64", media_type: "application/pdf", data: base64(pdf) },
      },
      { type: "text", text: block },
    ],
    last: [
      {
        type: "image",
        source: { type: "base64", media_type: "image/png", data: base64(png) },
        cache_control: { type: "ephemeral" },
      },
    ],
    sound: [{ type: "text", text: soundLine }],
  },
  {
    name: "openai-responses",
    wire: openAiResponses,
    create: createOpenAiResponsesAdapter,
    read: ({ input }: { input: readonly Said[] }) =>
      input.filter(isUser).map(({ content }) => content),
    first: [
      { type: "input_image", image_url: `data:image/png;base64,${base64(png)}` },
      {
        type: "input_file",
        filename: "plan.pdf",
        file_data: `data:application/pdf;base64,${base64(pdf)}`,
      },
      { type: "input_text", text: block },
    ],
    last: [{ type: "input_image", image_url: `data:image/png;base64,${base64(png)}` }],
    sound: [{ type: "input_text", text: soundLine }],
  },
  {
    name: "google-generative-ai",
    wire: googleGenerativeAi,
    create: createGoogleAdapter,
    read: ({ contents }: { contents: readonly { role: string; parts: unknown }[] }) =>
      contents.filter(isUser).map(({ parts }) => parts),
    first: [
      { inlineData: { mimeType: "image/png", data: base64(png) } },
      { inlineData: { mimeType: "application/pdf", data: base64(pdf) } },
      { text: block },
    ],
    last: [{ inlineData: { mimeType: "image/png", data: base64(png) } }],
    sound: [{ inlineData: { mimeType: "audio/wav", data: base64(sound) } }],
  },
];

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

/** What the service is sent of the person's `messages` by a model that takes `input`. */
async function send(
  { wire, create, read }: Api,
  messages: readonly TranscriptMessage[],
  input: readonly ModelInput[],
): Promise<readonly unknown[]> {
  const server = resources.use(
    await createModelServer({ kind: "message", text: "ok" }, wire === undefined ? {} : { wire }),
  );
  const adapter = resources.use(create({ baseUrl: server.url, clock: systemClock }));
  const reply = await adapter.stream({
    model: createModel({ input }),
    request: createRequest({ messages }),
    credential: undefined,
    signal: new AbortController().signal,
    onText: () => undefined,
  });
  expect(reply.text).toBe("ok");
  return read(server.requests[0]?.body as never);
}

describe.each(apis)("files over $name", (api) => {
  it("go in the service's own form, with those of earlier messages", async () => {
    const [first, last] = await send(api, history, ["text", "image", "pdf", "audio"]);
    expect(first).toEqual(api.first);
    expect(last).toEqual(api.last);
  });

  it("are a line of text for a model that takes none", async () => {
    const [first, last] = await send(api, history, ["text"]);
    const said = JSON.stringify([first, last]);
    expect(said).not.toContain(base64(png));
    expect(said).not.toContain(base64(pdf));
    for (const name of ["sample.png", "plan.pdf"]) expect(said).toContain(`[file \\"${name}\\"`);
    expect(said).toContain("a line");
  });

  it("never leave a document without a word where that is refused", async () => {
    const messages: readonly TranscriptMessage[] = [{ role: "user", content: "", files: [pdf] }];
    const [said] = await send(api, messages, ["text", "pdf"]);
    expect(said).toHaveLength(api.name === "openai-completions" ? 1 : 2);
  });

  it("are heard only where the service can listen", async () => {
    const messages: readonly TranscriptMessage[] = [{ role: "user", content: "", files: [sound] }];
    const [said] = await send(api, messages, ["text", "audio"]);
    expect(said).toMatchObject(api.sound);
  });
});
