import { describe, expect, it } from "vitest";
import { detectFileKind, maxTextFileBytes, readTextFile } from "./file-kind.ts";
import { createSampleFile, createTextFile, type SampleKind } from "./testing/sample-files.ts";

const kinds: readonly [SampleKind, string, string][] = [
  ["png", "image", "image/png"],
  ["jpeg", "image", "image/jpeg"],
  ["gif", "image", "image/gif"],
  ["webp", "image", "image/webp"],
  ["pdf", "pdf", "application/pdf"],
  ["wav", "audio", "audio/wav"],
  ["mp3", "audio", "audio/mpeg"],
];

describe("the kind of a file", () => {
  it("follows from its bytes, whatever it is called", () => {
    for (const [sample, kind, mimeType] of kinds) {
      expect(detectFileKind(createSampleFile(sample))).toEqual({ kind, mimeType });
      const renamed = createSampleFile(sample, { name: "a.txt", mimeType: "text/plain" });
      expect(detectFileKind(renamed)).toEqual({ kind, mimeType });
    }
    const lie = createTextFile("not a picture", { name: "a.png", mimeType: "image/png" });
    expect(detectFileKind(lie)).toEqual({ kind: "other" });
    expect(detectFileKind(createSampleFile("png", { size: 3 }))).toEqual({ kind: "other" });
    expect(detectFileKind(createSampleFile("png", { size: 0 }))).toEqual({ kind: "other" });
  });

  it("is text when it says so and is UTF-8 without NUL", () => {
    const types = [
      "text/csv",
      "application/json; charset=utf-8",
      "application/ld+json",
      "text/xml",
    ];
    for (const mimeType of types)
      expect(detectFileKind(createTextFile("é,1", { mimeType }))).toEqual({ kind: "text" });
    for (const mimeType of ["", "application/octet-stream"]) {
      expect(detectFileKind(createTextFile("a", { name: "a.YML", mimeType })).kind).toBe("text");
      expect(detectFileKind(createTextFile("a", { name: "a.bin", mimeType })).kind).toBe("other");
    }
    expect(detectFileKind(createTextFile("a\0b")).kind).toBe("other");
    const latin = createTextFile("", { data: Uint8Array.of(0x67, 0x72, 0xfc, 0x6e) });
    expect(detectFileKind(latin).kind).toBe("other");
  });
});

describe("a text file", () => {
  it("is read without its byte order mark", () => {
    expect(readTextFile(createTextFile("\uFEFFhello"))).toEqual({ text: "hello", isCut: false });
    expect(readTextFile(createSampleFile("png"))).toBeUndefined();
  });

  it("is cut between characters", () => {
    for (const padding of ["", "x", "xx", "xxx"]) {
      const text = padding + "🎉".repeat(maxTextFileBytes / 4);
      const read = readTextFile(createTextFile(`${text}🎉`));
      expect(read?.isCut).toBe(true);
      expect(read?.text.isWellFormed()).toBe(true);
      expect(text.startsWith(read?.text ?? "-")).toBe(true);
      expect(Buffer.byteLength(read?.text ?? "")).toBeGreaterThan(maxTextFileBytes - 4);
    }
  });
});
