import {
  createDocumentDecoder,
  encodeDocument,
  maxDocumentBytes,
  parseGenerationZeroResponse,
} from "@opentalon/protocol";
import { connectTo } from "../testing-kit/connect-to.ts";
import { askOn } from "../testing-kit/json-peer.ts";
import { within } from "../testing-kit/patience.ts";
import type { Rule } from "./rule.ts";
import { broken, kept, toVerdict } from "./rule.ts";
import type { ToolBench } from "./tool-bench.ts";
import { findDamage, unknownAction } from "./tool-bench.ts";

/** What is expected of tool plugins of the first wire generation only. */
export const jsonRules: readonly Rule<ToolBench>[] = [
  {
    name: "answers-in-order",
    level: "must",
    title: "Requests on one connection are answered one after another, in their order",
    remedy: "read a request, answer it, read the next one",
    check: async (bench) => {
      const { opened, name } = await bench.session();
      const socket = connectTo(opened.address);
      const decoder = createDocumentDecoder();
      const documents: unknown[] = [];
      const done = new Promise<string | undefined>((resolve) => {
        socket.on("data", (bytes: Buffer) => {
          try {
            documents.push(...decoder.push(bytes));
            if (documents.length >= 3) resolve(undefined);
          } catch (error) {
            resolve(String(error));
          }
        });
        socket.once("close", () => resolve("it closed the connection"));
      });
      const execute = { method: "execute", id: "second", plugin: name, action: unknownAction };
      for (const request of [{ method: "capabilities" }, execute, { method: "capabilities" }])
        socket.write(encodeDocument(request));
      const problem = await within(bench.limits.callMs, done);
      socket.destroy();
      if (problem !== undefined) return broken(problem);
      const [first, second, third] = documents.map(parseGenerationZeroResponse);
      if (second === undefined || third === undefined)
        return broken(`it answered ${documents.length} of 3 requests`);
      const isOrdered =
        first?.capabilities !== undefined &&
        second.capabilities === undefined &&
        third.capabilities !== undefined;
      return isOrdered ? kept() : broken("the answers came in another order");
    },
  },
  {
    name: "unknown-method",
    level: "should",
    title: "A method it does not know is answered with `error`",
    remedy: "answer with `error`, and keep the connection",
    check: async (bench) => {
      const { opened } = await bench.session();
      const socket = connectTo(opened.address);
      const reply = await askOn(
        socket,
        { method: "opentalon-conformance" },
        { timeoutMs: bench.limits.callMs },
      );
      socket.destroy();
      if (reply.kind !== "reply") return broken(`it ${reply.words}`);
      return reply.value.error === "" ? broken("it answered without `error`") : kept();
    },
  },
  {
    name: "closes-on-oversize",
    level: "must",
    title: "It closes a connection that announces a document of more than 4 MiB",
    remedy: "check the four bytes of the length before anything is kept, and close",
    check: async (bench) => {
      const session = await bench.session();
      const socket = connectTo(session.opened.address);
      const header = Buffer.alloc(4);
      header.writeUInt32BE(maxDocumentBytes + 1);
      socket.write(Buffer.concat([header, Buffer.from("{")]));
      const closed = new Promise<true>((resolve) => {
        socket.resume().once("close", () => resolve(true));
      });
      const isClosed = (await within(Math.min(bench.limits.callMs, 3_000), closed)) === true;
      socket.destroy();
      const problems = isClosed ? [] : ["it kept waiting for the document"];
      return toVerdict([...problems, ...(await findDamage(session))]);
    },
  },
];
