import { describe, expect, it } from "vitest";
import { renderJson } from "./render-request.ts";
import { toMessageLookup } from "./message-scope.ts";
import { parseTemplate } from "./template.ts";

const message = {
  conversationId: "c",
  threadId: "t",
  content: 'say "hi"',
  senderId: "u",
  files: [{ name: "a.txt", mimeType: "text/plain", data: Buffer.from("hello") }],
  metadata: { ts: "1", "a.b": "dotted" },
};

function render(template: string, changes: Partial<typeof message> = {}): unknown {
  const lookup = toMessageLookup({ ...message, ...changes }, "m9");
  return JSON.parse(renderJson(parseTemplate(template), { msg: lookup }));
}

describe("a message in templates", () => {
  it("shows what it holds, its files too", () => {
    expect(
      render(
        '["{{msg.conversation_id}}","{{msg.thread_id}}","{{msg.content}}","{{msg.sender_id}}","{{msg.message_id}}","{{msg.metadata.ts}}","{{msg.metadata.a.b}}","{{msg.metadata.toString}}"]',
      ),
    ).toEqual(["c", "t", 'say "hi"', "u", "m9", "1", "dotted", ""]);
    expect(
      render(
        '[{{msg.has_files}},{{msg.file_count}},"{{msg.file_0_name}}","{{msg.file_0_mime_type}}",{{msg.file_0_size}},"{{msg.file_0_data}}","{{msg.file_1_name}}"]',
      ),
    ).toEqual([true, 1, "a.txt", "text/plain", 5, "aGVsbG8=", ""]);
    const file = { name: "a.txt", mime_type: "text/plain", data: "aGVsbG8=", size: 5 };
    expect(render('{"out":{{msg.files_json}},"in":"{{msg.files_json}}"}')).toEqual({
      out: [file],
      in: JSON.stringify([file]),
    });
    expect(render('[{{msg.has_files}},"{{msg.files_json}}"]', { files: [] })).toEqual([false, ""]);
  });
});
