import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { HttpAnswer } from "../base/http-route.ts";

/**
 * Writes an answer to a client and ends it; a client that went away ends it early. Resolves when all was handed to the
 * socket. Never rejects.
 */
export async function writeAnswer(outgoing: ServerResponse, answer: HttpAnswer): Promise<void> {
  if (outgoing.destroyed || outgoing.headersSent) return;
  const { status, contentType, headers, body } = answer;
  const fixed: OutgoingHttpHeaders = {
    ...(headers as OutgoingHttpHeaders | undefined),
    "Content-Type": contentType,
    "Cache-Control": (headers?.["Cache-Control"] as string | undefined) ?? "no-store",
    "X-Content-Type-Options": "nosniff",
  };
  if (body instanceof ReadableStream) {
    outgoing.writeHead(status, fixed);
    // The pipeline destroys both sides when one breaks: there is nobody left to be told.
    await pipeline(Readable.fromWeb(body), outgoing).catch(() => {});
    return;
  }
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  outgoing.writeHead(status, { ...fixed, "Content-Length": length });
  outgoing.end(body);
}
