import { toBinary } from "@bufbuild/protobuf";
import {
  encodeDocument,
  pluginMessages as messages,
  pluginServiceMethods as methods,
} from "@opentalon/protocol";
import { toArgumentTexts } from "../testing-kit/argument-texts.ts";
import { connectTo } from "../testing-kit/connect-to.ts";
import { callUnary, createGrpcClient } from "../testing-kit/grpc-call.ts";
import { toRequest } from "../testing-kit/grpc-peer.ts";
import type { Reply } from "../testing-kit/reply.ts";
import { isUnimplemented } from "../testing-kit/reply.ts";
import type { WireAnswer } from "../testing-kit/tool-peer.ts";
import { toLongText } from "./bench.ts";
import { hasInvalidText } from "./capability-rules.ts";
import { disappearMidCall } from "./disappear.ts";
import type { Rule } from "./rule.ts";
import { broken, kept, notApplicable, toVerdict } from "./rule.ts";
import type { ToolBench, ToolSession, TriedCall } from "./tool-bench.ts";
import { findDamage, isAnswered, unknownAction } from "./tool-bench.ts";

const longBytes = 3.5 * 2 ** 20;
const shownBytes = 65_536;

/** How a tool plugin answers calls. Only what can have no effect is called, and what the caller allowed. */
export const callRules: readonly Rule<ToolBench>[] = [
  {
    name: "unknown-action",
    level: "must",
    title: "An action it does not have is answered by a result with `error`",
    remedy:
      "set `error`, in words a model understands; a gRPC status says that the plugin itself is broken",
    check: async (bench) => {
      const reply = await (await bench.session()).call({ action: unknownAction });
      if (reply.kind !== "reply") return broken(`it ${reply.words}`);
      const { error } = reply.value;
      return error === "" ? broken("the result has no `error`") : kept(error.slice(0, 100));
    },
  },
  {
    name: "call-id",
    level: "must",
    title:
      "`call_id` of a result repeats `id` of the call; it may be empty where there is an `error`",
    remedy: "copy `id` of the request: an answer with another one is thrown away",
    check: async (bench) => {
      const session = await bench.session();
      const problems: string[] = [];
      let answers = 0;
      for (const call of [{ action: unknownAction }, ...findCalls(bench, session)]) {
        const id = `call-${answers}`;
        const reply = await session.call({ ...call, id });
        if (reply.kind !== "reply") continue;
        answers += 1;
        const { callId, error } = reply.value;
        if (callId !== id && (callId !== "" || error === ""))
          problems.push(`"${call.action}" answered ${JSON.stringify(callId.slice(0, 50))}`);
      }
      return answers === 0 ? notApplicable("no call got a result") : toVerdict(problems);
    },
  },
  {
    name: "calls",
    level: "must",
    title: "Harmless actions, and those named for this test, give a result",
    remedy: "answer each call with `content`, or with `error`",
    check: async (bench) => {
      const session = await bench.session();
      const calls = findCalls(bench, session);
      if (calls.length === 0) return notApplicable(nothingToCall);
      const problems: string[] = [];
      for (const call of calls) {
        const reply = await session.call(call);
        if (reply.kind !== "reply") problems.push(`"${call.action}" ${reply.words}`);
      }
      return toVerdict(problems, calls.map(({ action }) => action).join(", "));
    },
  },
  {
    name: "results",
    level: "should",
    title: "Results are valid UTF-8, with structured content that is JSON, and 64 KiB at most",
    remedy: "send text as UTF-8 and JSON as JSON; a model is shown the first 64 KiB",
    check: async (bench) => {
      const session = await bench.session();
      const problems: string[] = [];
      const replies: { action: string; reply: Reply<WireAnswer> }[] = [];
      for (const call of findCalls(bench, session))
        replies.push({ action: call.action, reply: await session.call(call) });
      for (const { action, reply } of replies) {
        if (reply.kind !== "reply") continue;
        const { content, structuredContent } = reply.value;
        if (hasInvalidText(reply.bytes, reply.value) && reply.bytes.length > 0)
          problems.push(`"${action}" gave bytes that are no UTF-8`);
        if (Buffer.byteLength(content) > shownBytes)
          problems.push(`"${action}" gave ${Buffer.byteLength(content)} bytes`);
        if (structuredContent !== "" && !isJson(structuredContent))
          problems.push(`"${action}" gave structured content that is no JSON`);
      }
      return replies.length === 0 ? notApplicable(nothingToCall) : toVerdict(problems);
    },
  },
  {
    name: "unknown-arguments",
    level: "must",
    title: "Arguments it did not declare do not keep it from answering",
    remedy: "leave out what is not declared",
    check: async (bench) => {
      const session = await bench.session();
      const args = { "opentalon-conformance": "x", "": "empty name", ["__proto__"]: "x" };
      const calls = [{ action: unknownAction, args: {} }, ...findCalls(bench, session)];
      const problems: string[] = [];
      for (const call of calls) {
        const reply = await session.call({ ...call, args: { ...call.args, ...args } });
        if (!isAnswered(reply)) problems.push(`"${call.action}" ${reply.words}`);
      }
      return toVerdict([...problems, ...(await findDamage(session))]);
    },
  },
  {
    name: "parallel-calls",
    level: "must",
    title: "Calls at the same time are all answered, each with its own result",
    remedy: "serve calls side by side, and keep nothing of one call where another one sees it",
    check: async (bench) => {
      const session = await bench.session();
      const calls = Array.from({ length: 16 }, (_each, index) => `parallel-${index}`);
      const replies = await Promise.all(
        calls.map(async (id) => ({ id, reply: await session.call({ action: unknownAction, id }) })),
      );
      const problems = replies.flatMap(({ id, reply }) => {
        if (!isAnswered(reply)) return [`a call ${reply.words}`];
        const mixed = reply.kind === "reply" && calls.includes(reply.value.callId);
        return mixed && reply.value.callId !== id ? ["a call got the result of another one"] : [];
      });
      return toVerdict(problems);
    },
  },
  {
    name: "long-argument",
    level: "must",
    title: "An argument of 3.5 MiB is taken",
    remedy: "raise the limit for messages it receives; OpenTalon's is 32 MiB",
    check: async (bench) => {
      const session = await bench.session();
      const args = { text: toLongText(longBytes) };
      const reply = await session.call({ action: unknownAction, args });
      const problems = isAnswered(reply) ? [] : [`it ${reply.words}`];
      return toVerdict([...problems, ...(await findDamage(session))]);
    },
  },
  {
    name: "invalid-utf8",
    level: "must",
    title: "Bytes that are no UTF-8 do not end it",
    remedy: "refuse the call, or replace them by U+FFFD, and go on",
    check: async (bench) => {
      const session = await bench.session();
      await sendInvalidText(session, bench.limits.callMs);
      return toVerdict(await findDamage(session));
    },
  },
  {
    name: "cancelled-calls",
    level: "must",
    title: "It goes on when its caller gives up",
    remedy: "stop the work of a cancelled call if that is possible, and never the plugin",
    check: async (bench) => {
      const session = await bench.session();
      const [call = { action: unknownAction }] = findHarmless(session);
      for (let round = 0; round < 10; round += 1) {
        const signal = AbortSignal.timeout(round);
        await session.call({ ...call, signal });
      }
      return toVerdict(await findDamage(session));
    },
  },
  {
    name: "vanished-client",
    level: "must",
    title: "It survives a host that disappears in the middle of a call",
    remedy: "treat a lost connection as a cancelled call",
    check: async (bench) => {
      const session = await bench.session();
      const [call = { action: unknownAction }] = findHarmless(session);
      const { address } = session.opened;
      const request = { id: "vanished", plugin: session.name, args: {}, timeoutMs: 0, ...call };
      for (const afterMs of [0, 1, 5, 20]) {
        if (bench.facts.wire === "grpc")
          await disappearMidCall(
            address,
            methods.execute.path,
            methods.execute.requestSerialize(toRequest(request)),
            afterMs,
          );
        else {
          const { id, plugin, action, args } = request;
          const socket = connectTo(address);
          socket.write(encodeDocument({ method: "execute", id, plugin, action, args }));
          await new Promise((resolve) => setTimeout(resolve, afterMs));
          socket.destroy();
        }
      }
      return toVerdict(await findDamage(session));
    },
  },
  {
    name: "refresh",
    level: "must",
    title: "RefreshCapabilities is answered, or UNIMPLEMENTED",
    remedy: "answer it like Capabilities, or leave the method out",
    check: async (bench) => {
      if (bench.facts.wire === "json")
        return notApplicable("the first wire generation has no such method");
      const { peer, capabilities } = await bench.session();
      const reply = await peer.refresh({ timeoutMs: bench.limits.callMs });
      if (isUnimplemented(reply)) return kept("it does not have the method");
      if (reply.kind !== "reply") return broken(`it ${reply.words}`);
      return reply.value.name === capabilities.name
        ? kept()
        : broken(`it now calls itself ${JSON.stringify(reply.value.name.slice(0, 50))}`);
    },
  },
  {
    name: "callbacks",
    level: "must",
    title: "ExecuteBidi works if `supports_callbacks` says so, and is refused otherwise",
    remedy: "end each ExecuteBidi with a `result`; without callbacks leave the method out",
    check: async (bench) => {
      if (bench.facts.wire === "json")
        return notApplicable("the first wire generation has no such method");
      const { peer, name, capabilities } = await bench.session();
      const call = { id: "bidi", plugin: name, action: unknownAction, args: {} };
      const reply = await peer.callBidi({ ...call, timeoutMs: bench.limits.callMs });
      if (reply.kind === "reply")
        return reply.value.error === "" ? broken("an unknown action had no `error`") : kept();
      if (capabilities.supportsCallbacks) return broken(`it ${reply.words}`);
      return reply.kind === "status" ? kept("it makes no callbacks") : broken(`it ${reply.words}`);
    },
  },
];

const nothingToCall =
  "it has no read-only action without required parameters; name one with --call";

/** What can be called without an effect: it says itself that it changes nothing. */
function findHarmless({ capabilities }: ToolSession): readonly TriedCall[] {
  return capabilities.actions
    .filter(({ readOnly, parameters }) => readOnly && parameters.every(({ required }) => !required))
    .slice(0, 20)
    .map(({ name }) => ({ action: name }));
}

function findCalls({ calls }: ToolBench, session: ToolSession): readonly TriedCall[] {
  const planned = calls.map(({ action, args }) => ({ action, args: toArgumentTexts(args) }));
  return [...findHarmless(session), ...planned];
}

/** Sends a call whose argument is no UTF-8, by hand: no library would. */
async function sendInvalidText(session: ToolSession, timeoutMs: number): Promise<void> {
  const marker = "<<placeholder>>";
  const request = {
    id: "invalid",
    plugin: session.name,
    action: unknownAction,
    args: { text: marker },
  };
  const spoil = (bytes: Buffer): Buffer => {
    const at = bytes.indexOf(marker);
    bytes.fill(0xff, at, at + marker.length);
    return bytes;
  };
  const { address } = session.opened;
  if (session.peer.wire === "json") {
    const socket = connectTo(address);
    const answered = new Promise<void>((resolve) => {
      socket.once("data", () => resolve());
      socket.once("close", () => resolve());
    });
    socket.write(spoil(encodeDocument({ method: "execute", ...request })));
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    await answered;
    clearTimeout(timer);
    socket.destroy();
    return;
  }
  const client = createGrpcClient(address);
  const bytes = Buffer.from(
    toBinary(messages.ToolCallRequestSchema, toRequest({ ...request, timeoutMs })),
  );
  const { path, responseDeserialize } = methods.execute;
  const method = { path, requestSerialize: (raw: Buffer) => raw, responseDeserialize };
  await callUnary(client, method, spoil(bytes), { timeoutMs });
  client.close();
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
