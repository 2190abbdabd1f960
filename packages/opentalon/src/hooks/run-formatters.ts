import type { Log } from "../base/log.ts";
import type { CallHookAction } from "./run-preparers.ts";

/** One entry of `orchestrator.response_formatters`. */
export interface Formatter {
  readonly plugin: string;
  readonly action: string;
  /** Keep the text as it is when the hook fails; otherwise the turn fails. */
  readonly failOpen: boolean;
}

export type FormatOutcome =
  | { readonly kind: "formatted"; readonly text: string }
  | { readonly kind: "failed"; readonly hook: string; readonly problem: string };

/** Runs the formatters in list order over the model's answer; an empty result leaves the text as it was. */
export async function runFormatters(
  formatters: readonly Formatter[],
  text: string,
  responseFormat: string,
  ports: { readonly callAction: CallHookAction; readonly log: Log },
): Promise<FormatOutcome> {
  let current = text;
  for (const { plugin, action, failOpen } of formatters) {
    const step = { plugin, action, arguments: { text: current, response_format: responseFormat } };
    const result = await ports.callAction(step, `formatter-${plugin}-${action}`);
    if (!result.isError) {
      if (result.content !== "") current = result.content;
      continue;
    }
    const hook = `${plugin}__${action}`;
    ports.log.warn({ hook, failOpen, problem: result.content }, "a formatter failed");
    if (!failOpen) return { kind: "failed", hook, problem: result.content };
  }
  return { kind: "formatted", text: current };
}
