import { describe, expect, it } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import type { CallHookAction } from "./run-preparers.ts";
import { transcribeAudio, type SpokenMessage, type Transcriber } from "./transcribe-audio.ts";

const file = (mimeType: string, text: string) => ({
  name: "voice",
  mimeType,
  data: new Uint8Array(Buffer.from(text)),
});
const entry = (plugin: string, failOpen = false): Transcriber => ({
  plugin,
  action: "hear",
  failOpen,
});
const message: SpokenMessage = {
  text: "about this",
  files: [file("image/png", "picture"), file("audio/ogg", "hello"), file("AUDIO/wav", "world")],
};

/** Plugins that hear what is in the file, except those whose name begins with `deaf`. */
function hearing() {
  const calls: { plugin: string; callId: string; mime: string | undefined }[] = [];
  const callAction: CallHookAction = ({ plugin, arguments: values }, callId) => {
    calls.push({ plugin, callId, mime: values["file_mime"] });
    if (plugin.startsWith("deaf")) return Promise.resolve({ content: "no ears", isError: true });
    const content = Buffer.from(values["file_data"] ?? "", "base64").toString();
    return Promise.resolve({ content: ` ${content}\n`, isError: false });
  };
  return { calls, ports: { callAction, log: createSilentLog(), maxAudioBytes: 10 } };
}

describe("sounds in a message", () => {
  it("become text in front of it, and are told apart from other files", async () => {
    const { calls, ports } = hearing();
    expect(await transcribeAudio([entry("ears")], message, ports)).toEqual({
      text: "hello\n\nworld\n\nabout this",
      transcribed: [1, 2],
    });
    expect(calls).toEqual([
      { plugin: "ears", callId: "stt-ears-hear", mime: "audio/ogg" },
      { plugin: "ears", callId: "stt-ears-hear", mime: "AUDIO/wav" },
    ]);
  });

  it("may be all there is", async () => {
    const { ports } = hearing();
    const spoken = { text: "", files: [file("audio/ogg", "hello")] };
    expect((await transcribeAudio([entry("ears")], spoken, ports)).text).toBe("hello");
  });

  it("go to the next one that hears, where the first may fail", async () => {
    const { calls, ports } = hearing();
    const given = await transcribeAudio([entry("deaf", true), entry("ears")], message, ports);
    expect(given.transcribed).toEqual([1, 2]);
    expect(calls.map(({ plugin }) => plugin)).toEqual(["deaf", "ears", "deaf", "ears"]);
  });

  it("leave the message as it came when one fails that must not, and when nobody hears", async () => {
    const unchanged = { text: "about this", transcribed: [] };
    const closed = hearing();
    expect(await transcribeAudio([entry("deaf"), entry("ears")], message, closed.ports)).toEqual(
      unchanged,
    );
    expect(closed.calls).toHaveLength(1);
    const open = hearing();
    expect(await transcribeAudio([entry("deaf", true)], message, open.ports)).toEqual(unchanged);
  });

  it("that say nothing count as not heard", async () => {
    const { ports } = hearing();
    const silence = { text: "x", files: [file("audio/ogg", "  ")] };
    expect(await transcribeAudio([entry("ears", true)], silence, ports)).toEqual({
      text: "x",
      transcribed: [],
    });
  });

  it("that are empty or larger than a plugin can be sent stay files", async () => {
    const { calls, ports } = hearing();
    const files = [file("audio/ogg", "x".repeat(11)), file("audio/ogg", ""), file("audio/a", "hi")];
    expect(await transcribeAudio([entry("ears")], { text: "", files }, ports)).toEqual({
      text: "hi",
      transcribed: [2],
    });
    expect(calls).toHaveLength(1);
  });

  it("cost nothing where nobody is configured to hear them", async () => {
    const { calls, ports } = hearing();
    expect(await transcribeAudio([], message, ports)).toEqual({
      text: message.text,
      transcribed: [],
    });
    expect(calls).toEqual([]);
  });
});
