import type { Socket } from "node:net";
import { createDocumentDecoder, encodeDocument, maxDocumentBytes } from "@opentalon/protocol";
import type { Breaks } from "./rule-breaking-tool.ts";

/** A tool plugin of the first wire generation that keeps every rule but what `breaks` says. */
export function serveJson(socket: Socket, breaks: Breaks): void {
  const decoder = createDocumentDecoder(breaks("closes-on-oversize") ? 2 ** 30 : maxDocumentBytes);
  socket.on("data", (bytes: Buffer) => {
    let documents: Record<string, string>[];
    try {
      documents = decoder.push(bytes) as Record<string, string>[];
    } catch {
      return void socket.destroy();
    }
    const inOrder = breaks("answers-in-order") && documents.length > 1;
    for (const document of inOrder ? toSwapped(documents) : documents) {
      if (breaks("invalid-utf8") && JSON.stringify(document).includes("\ufffd")) process.exit(9);
      socket.write(encodeDocument(toAnswer(document, breaks)));
    }
  });
}

function toSwapped<Value>([first, ...rest]: readonly Value[]): readonly Value[] {
  return first === undefined ? rest : [...rest, first];
}

function toAnswer({ method, id, action }: Record<string, string>, breaks: Breaks): unknown {
  if (method === "capabilities") {
    const peek = { name: "peek", description: "Looks", parameters: [], read_only: true };
    const unnamed = { ...peek, name: "peek now" };
    return {
      caps: { name: "fake", description: "Keeps", actions: [breaks("names") ? unnamed : peek] },
    };
  }
  if (method !== "execute") return breaks("unknown-method") ? {} : { error: "unknown method" };
  // Without the identifier, as the first plugins did.
  if (action !== "peek")
    return breaks("unknown-action") ? { call_id: id, content: "ok" } : { error: "unknown" };
  return { call_id: breaks("call-id") ? "another" : id, content: "something" };
}
