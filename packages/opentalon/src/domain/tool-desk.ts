import type { Actor } from "./actor.ts";
import type { ToolSpecification } from "./model.ts";
import type { ToolResult } from "./tool.ts";

/** A tool as a program outside is told of it. */
export interface DeskTool extends ToolSpecification {
  /** It changes nothing. */
  readonly readOnly: boolean;
}

export interface DeskCall {
  /** In whose name; the permission plugin is asked about them. */
  readonly actor: Actor;
  /** Full name of the tool. */
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Gives the call up. */
  readonly signal: AbortSignal;
}

/**
 * Where programs outside call tools: what a model may be told of, through the gates of a model's call. Tools for people
 * and steps of the pipeline are not there.
 */
export interface ToolDesk {
  readonly list: () => Promise<readonly DeskTool[]>;
  /** A refusal and a failure are results too. Rejects when `signal` aborts, or when nobody is there to ask. */
  readonly call: (call: DeskCall) => Promise<ToolResult>;
  /** Calls back each time the list may have changed, until disposed. */
  readonly follow: (onChange: () => void) => Disposable;
}
