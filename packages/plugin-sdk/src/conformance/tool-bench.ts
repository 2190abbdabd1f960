import { randomUUID } from "node:crypto";
import type { pluginMessages as messages } from "@opentalon/protocol";
import { createGrpcPeer } from "../testing-kit/grpc-peer.ts";
import { createJsonPeer } from "../testing-kit/json-peer.ts";
import type { Reply } from "../testing-kit/reply.ts";
import { isUnimplemented } from "../testing-kit/reply.ts";
import type { ToolPeer, WireAnswer } from "../testing-kit/tool-peer.ts";
import type { Address } from "../testing-kit/grpc-call.ts";
import type { Bench, BenchOptions, Connection, Session } from "./bench.ts";
import { createBench } from "./bench.ts";
import { NotReached } from "./rule.ts";

/** One call as a rule makes it. */
export interface TriedCall {
  readonly action: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly id?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

export interface ToolSession extends Session {
  readonly peer: ToolPeer;
  readonly capabilities: messages.PluginCapabilities;
  /** Its name, or what stands in for one. */
  readonly name: string;
  readonly call: (call: TriedCall) => Promise<Reply<WireAnswer>>;
}

/** What was said at the first meeting. */
export interface Introduction {
  readonly init: Reply<unknown>;
  /** Absent when it was not asked, because the configuration was refused. */
  readonly capabilities: Reply<messages.PluginCapabilities> | undefined;
  readonly tookMs: number;
}

export interface ToolBench extends Bench<ToolSession> {
  readonly introduction: () => Promise<Introduction>;
  readonly openPeer: (address: Address) => ToolPeer;
}

/** An action no plugin has. */
export const unknownAction = "opentalon-conformance-unknown";

export function createToolBench(options: Omit<BenchOptions<ToolSession>, "introduce">): ToolBench {
  const { facts, limits, configJson, hasConfig } = options;
  const openPeer = facts.wire === "grpc" ? createGrpcPeer : createJsonPeer;
  let first: Introduction | undefined;

  const meet = async (peer: ToolPeer): Promise<Introduction> => {
    const patience = { timeoutMs: limits.introductionMs };
    const startMs = performance.now();
    // A plugin that never answers Init is not kept waiting for it again and again.
    const init =
      first?.init.kind === "timed-out" ? first.init : await peer.init(configJson, patience);
    const isRefused = init.kind === "status" && !isUnimplemented(init);
    const capabilities = isRefused ? undefined : await peer.capabilities(patience);
    return { init, capabilities, tookMs: performance.now() - startMs };
  };

  const bench = createBench<ToolSession>({
    ...options,
    introduce: async (opened) => {
      const peer = openPeer(opened.address);
      const introduction = await meet(peer);
      first ??= introduction;
      const { capabilities } = introduction;
      if (capabilities?.kind !== "reply") {
        peer.close();
        if (capabilities !== undefined) throw new NotReached(`Capabilities ${capabilities.words}`);
        const hint = hasConfig ? "" : "; give it a configuration with --config";
        throw new NotReached(`it refuses its configuration${hint}`);
      }
      const told = capabilities.value;
      const name = told.name === "" ? "plugin" : told.name;
      return {
        ...toConnection(peer, limits.callMs),
        opened,
        peer,
        capabilities: told,
        name,
        connect: () => toConnection(openPeer(opened.address), limits.callMs),
        call: ({ action, args = {}, id = randomUUID(), signal, timeoutMs = limits.callMs }) => {
          const ask = told.supportsCallbacks ? peer.callBidi : peer.call;
          return ask({ id, plugin: name, action, args, timeoutMs, signal });
        },
      };
    },
  });
  return {
    ...bench,
    openPeer,
    introduction: async () => {
      try {
        await bench.session();
      } catch (error) {
        if (first === undefined || !(error instanceof NotReached)) throw error;
      }
      if (first === undefined) throw new NotReached("it was never met");
      return first;
    },
  };
}

function toConnection(peer: ToolPeer, callMs: number): Connection {
  return {
    probe: async (timeoutMs = callMs) => {
      const reply = await peer.capabilities({ timeoutMs });
      return reply.kind === "reply" ? undefined : `Capabilities ${reply.words}`;
    },
    close: peer.close,
  };
}

/** Whether a plugin is still there after a rule tried something; what is wrong otherwise. */
export async function findDamage(session: ToolSession): Promise<readonly string[]> {
  const problem = await session.probe();
  if (problem !== undefined) return [`afterwards ${problem}`];
  const reply = await session.call({ action: unknownAction });
  return isAnswered(reply) ? [] : [`afterwards a call ${reply.words}`];
}

/** gRPC's word for a message that is too long. */
const tooLongCode = 8;

/** Whether the plugin answered at all; whether it did so well is another rule. */
export function isAnswered(
  reply: Reply<unknown>,
): reply is Extract<Reply<unknown>, { kind: "reply" | "status" }> {
  return reply.kind === "reply" || (reply.kind === "status" && reply.code !== tooLongCode);
}
