import type { StubRequest } from "./stub-server.ts";

/** A file as a platform has received it. */
export interface PostedFile {
  /** The method, or the kind of message, it came with. */
  readonly kind: string;
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer;
  /** What stands below it. */
  readonly caption: string;
  /** The other fields of the request. */
  readonly fields: Readonly<Record<string, string>>;
}

/** The fields and the file of a `multipart/form-data` body, read by the parser of the platform we run on. */
export async function readForm({ bytes, headers }: StubRequest): Promise<{
  readonly fields: Readonly<Record<string, string>>;
  readonly file:
    | {
        readonly field: string;
        readonly name: string;
        readonly type: string;
        readonly bytes: Buffer;
      }
    | undefined;
}> {
  const type = headers["content-type"] ?? "";
  const form = await new Response(new Uint8Array(bytes), {
    headers: { "Content-Type": type },
  })
    // oxlint-disable-next-line typescript/no-deprecated -- Deprecated for servers that strangers reach.
    .formData();
  const fields: Record<string, string> = {};
  let file: Awaited<ReturnType<typeof readForm>>["file"];
  for (const [field, value] of form) {
    if (typeof value === "string") fields[field] = value;
    else {
      const data = Buffer.from(await value.arrayBuffer());
      file = { field, name: value.name, type: value.type, bytes: data };
    }
  }
  return { fields, file };
}
