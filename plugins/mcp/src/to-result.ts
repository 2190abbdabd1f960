/** What a server answered, as the result of an action: text for the model, and the rest described. */
import type {
  CallToolResult,
  ContentBlock,
  GetPromptResult,
  ReadResourceResult,
} from "@modelcontextprotocol/client";
import type { ActionResult } from "@opentalon/plugin-sdk";

/** Letters of base64 up to which images and sounds of one answer are handed on as data. */
const maxDataLength = 45_000;
const maxItems = 1_000;

/** Data that came with an answer, for programs. */
interface Attachment {
  readonly type: string;
  readonly mimeType: string;
  readonly uri?: string;
  readonly data: string;
}

interface Part {
  readonly text: string;
  readonly attachment?: Attachment | undefined;
}

/** @throws Error with the server's words when the tool says it failed. */
export function toToolResult(result: CallToolResult): ActionResult {
  const parts = result.content.slice(0, maxItems).map(toPart);
  const text = toText(parts);
  if (result.isError === true)
    throw new Error(text === "" ? "the tool failed and did not say why" : text);
  return toResult(text, parts, result.structuredContent);
}

export function toResourceResult({ contents }: ReadResourceResult): ActionResult {
  const parts = contents
    .slice(0, maxItems)
    .map((resource): Part => toPart({ type: "resource", resource }));
  return toResult(toText(parts), parts, undefined);
}

export function toPromptResult({ description = "", messages }: GetPromptResult): ActionResult {
  const parts = messages.slice(0, maxItems).map(({ role, content }): Part => {
    const { text, attachment } = toPart(content);
    return { text: `${role}: ${text}`, attachment };
  });
  return toResult(
    [description, toText(parts)].filter((text) => text !== "").join("\n\n"),
    parts,
    undefined,
  );
}

function toResult(text: string, parts: readonly Part[], structured: unknown): ActionResult {
  const attachments = pickSmall(parts.flatMap(({ attachment }) => attachment ?? []));
  const content = text === "" && structured === undefined ? "(the tool gave no output)" : text;
  if (attachments.length === 0) return structured === undefined ? content : { content, structured };
  return {
    content,
    structured: structured === undefined ? { attachments } : { structured, attachments },
  };
}

function toText(parts: readonly Part[]): string {
  return parts
    .map(({ text }) => text)
    .filter((text) => text !== "")
    .join("\n");
}

function toPart(block: ContentBlock): Part {
  switch (block.type) {
    case "text":
      return { text: block.text };
    case "image":
    case "audio": {
      const { type, mimeType, data } = block;
      return {
        text: `[${type}: ${mimeType}, ${toBytes(data)} bytes]`,
        attachment: { type, mimeType, data },
      };
    }
    case "resource_link": {
      const { uri, name, description = "" } = block;
      return {
        text: `[resource ${uri}: ${[name, description].filter((text) => text !== "").join(", ")}]`,
      };
    }
    case "resource": {
      const { uri, mimeType = "application/octet-stream" } = block.resource;
      if ("text" in block.resource) return { text: `[resource ${uri}]\n${block.resource.text}` };
      const { blob: data } = block.resource;
      return {
        text: `[resource ${uri}: ${mimeType}, ${toBytes(data)} bytes]`,
        attachment: { type: "resource", uri, mimeType, data },
      };
    }
  }
  // A kind of a later version of the protocol.
  return { text: "[content of an unknown kind]" };
}

/** As many as there is room for, in their order; each is described in the text anyway. */
function pickSmall(attachments: readonly Attachment[]): readonly Attachment[] {
  let room = maxDataLength;
  return attachments.filter(({ data }) => {
    if (data.length > room) return false;
    room -= data.length;
    return true;
  });
}

function toBytes(base64: string): number {
  return Math.floor((base64.length * 3) / 4) - (/=+$/.exec(base64)?.[0].length ?? 0);
}
