import type { FileAttachment } from "../message.ts";

/** The smallest files that are what they claim to be; `size` pads them. */
export type SampleKind = keyof typeof heads;

const heads = {
  png: [
    "image/png",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  ],
  jpeg: ["image/jpeg", Buffer.from("\xFF\xD8\xFF\xE0\0\x10JFIF\0", "latin1").toString("base64")],
  gif: ["image/gif", Buffer.from("GIF89a\x01\0\x01\0\0\0\0;", "latin1").toString("base64")],
  webp: ["image/webp", Buffer.from("RIFF\x1A\0\0\0WEBPVP8L", "latin1").toString("base64")],
  pdf: ["application/pdf", Buffer.from("%PDF-1.7\n%%EOF\n").toString("base64")],
  wav: ["audio/wav", Buffer.from("RIFF\x24\0\0\0WAVEfmt ", "latin1").toString("base64")],
  mp3: ["audio/mpeg", Buffer.from("ID3\x04\0\0\0\0\0\0", "latin1").toString("base64")],
} as const;

export function createSampleFile(
  kind: SampleKind,
  change: Partial<FileAttachment> & { readonly size?: number } = {},
): FileAttachment {
  const [mimeType, base64] = heads[kind];
  const { size, ...fields } = change;
  const head = Buffer.from(base64, "base64");
  const data = new Uint8Array(size ?? head.byteLength);
  data.set(head.subarray(0, data.byteLength));
  return { name: `sample.${kind}`, mimeType, data, ...fields };
}

export function createTextFile(text: string, change: Partial<FileAttachment> = {}): FileAttachment {
  return { name: "notes.txt", mimeType: "text/plain", data: Buffer.from(text, "utf8"), ...change };
}
