import type { MessagePort } from "node:worker_threads";
import type { LuaOutcome, LuaStage } from "./lua-machine.ts";
import type { CompiledLua } from "./lua-module.ts";
import type { LuaValue } from "./lua-value.ts";

/** What a worker is started with. */
export interface WorkerOptions {
  readonly compiled: CompiledLua;
  readonly memoryBytes: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly maxModelCalls: number;
  /** Shared: `flagSlot` and `lineSlot`. */
  readonly flags: Int32Array;
  /** Answers to what the script asked; read while the worker stands still. */
  readonly replies: MessagePort;
}

/** 1 when an answer lies at the port. */
export const flagSlot = 0;
/** The line of the script that ran last, as far as it is known. */
export const lineSlot = 1;

export type LuaContext = Readonly<Record<string, LuaValue>>;

export type WorkerRequest =
  | { readonly kind: "load"; readonly source: string; readonly name: string }
  | { readonly kind: "run"; readonly stage: LuaStage; readonly context: LuaContext };

export type WorkerReport =
  | { readonly kind: "ready" }
  | { readonly kind: "log"; readonly level: string; readonly text: string }
  | { readonly kind: "host"; readonly name: string; readonly values: readonly LuaValue[] }
  | {
      readonly kind: "outcome";
      readonly outcome: LuaOutcome<LuaValue>;
      readonly memoryBytes: number;
    };
