import type { Log } from "../base/log.ts";
import { runInvoke, type CallHookAction, type PreparerPorts } from "./run-preparers.ts";
import { runScript, toScriptName } from "./run-script.ts";
import { startReport } from "./start-report.ts";

/** One entry of `orchestrator.response_formatters`. */
export interface Formatter {
  readonly plugin: string;
  readonly action: string;
  /** Keep the text as it is when the hook fails; otherwise the turn fails. */
  readonly failOpen: boolean;
}

export type FormatOutcome =
  | {
      readonly kind: "formatted";
      readonly text: string;
      /** A formatter that knows the channel's format had the last word. */
      readonly isFormatted?: boolean;
      /** What goes out with the reply beside the message's own metadata; absent for nothing. */
      readonly metadata?: Readonly<Record<string, string>>;
    }
  | { readonly kind: "failed"; readonly hook: string; readonly problem: string };

export interface FormatterPorts extends Omit<PreparerPorts, "searchContext"> {
  readonly callAction: CallHookAction;
  /** Whether a script may start actions (`lua.scripts.<name>.insecure: false`). */
  readonly isTrustedScript: (script: string) => boolean;
  readonly log: Log;
}

type Answer = Extract<FormatOutcome, { kind: "formatted" }>;

/**
 * Runs the formatters in list order over the model's answer; an empty result leaves the text as it was. Whoever was told the
 * format of the channel (`format` of a script, an action of a plugin) and returns something else has formatted the text; an
 * addition to the answer as it stands has not.
 */
export async function runFormatters(
  formatters: readonly Formatter[],
  text: string,
  responseFormat: string,
  ports: FormatterPorts,
): Promise<FormatOutcome> {
  let current: Answer = { kind: "formatted", text };
  for (const [place, formatter] of formatters.entries()) {
    const script = toScriptName(formatter.plugin);
    const outcome =
      script === undefined
        ? await runFormatter(formatter, current, responseFormat, ports)
        : await runScriptFormatter(script, { place, responseFormat }, current, ports);
    if (outcome.kind === "formatted") {
      current = outcome;
      continue;
    }
    const { failOpen } = formatter;
    ports.log.warn(
      { hook: outcome.hook, failOpen, problem: outcome.problem },
      "a formatter failed",
    );
    if (!failOpen) return outcome;
  }
  return current;
}

async function runFormatter(
  { plugin, action }: Formatter,
  given: Answer,
  responseFormat: string,
  ports: FormatterPorts,
): Promise<FormatOutcome> {
  const hook = `${plugin}__${action}`;
  const report = startReport(hook, ports);
  const values = { text: given.text, response_format: responseFormat };
  const step = { plugin, action, arguments: values };
  const result = await ports.callAction(step, `formatter-${plugin}-${action}`);
  if (result.isError) {
    report("failed");
    return { kind: "failed", hook, problem: result.content };
  }
  const isSame = result.content === "" || result.content === given.text;
  report(isSame ? "unchanged" : "changed");
  if (isSame) return given;
  const isKept = result.content.includes(given.text.trim());
  return { ...given, text: result.content, ...(isKept ? {} : toFormatted(responseFormat)) };
}

/** Without a format there is nothing that could have been meant by formatting. */
function toFormatted(responseFormat: string): Pick<Answer, "isFormatted"> {
  return responseFormat === "" ? {} : { isFormatted: true };
}

async function runScriptFormatter(
  script: string,
  { place, responseFormat }: { readonly place: number; readonly responseFormat: string },
  given: Answer,
  ports: FormatterPorts,
): Promise<FormatOutcome> {
  const { callScript, onHook = () => undefined, metadata = {}, log } = ports;
  const hook = `lua:${script}`;
  if (callScript === undefined) throw new Error(`nothing runs scripts, so ${hook} cannot run`);
  const known = { ...metadata, ...given.metadata };
  const outcome = await runScript(
    { script, stage: "after", isTrusted: ports.isTrustedScript(script) },
    { content: given.text, metadata: known },
    { callScript, onHook },
  );
  switch (outcome.kind) {
    case "continue": {
      const isSame = outcome.metadata === known;
      return {
        ...given,
        text: outcome.content === "" ? given.text : outcome.content,
        ...(isSame ? {} : { metadata: outcome.metadata }),
        ...(outcome.isFormatted === true ? toFormatted(responseFormat) : {}),
      };
    }
    case "refuse":
      return { kind: "formatted", text: outcome.message };
    case "invoke": {
      const done = await runInvoke(outcome.steps, ports, `after-${place + 1}-invoke`);
      return {
        kind: "formatted",
        text: done.content,
        metadata: { ...given.metadata, ...done.metadata },
      };
    }
    case "untrusted":
      log.warn(
        { hook },
        `a script asked to start actions but is not trusted (lua.scripts.${script}.insecure is not false); the answer stays as it was`,
      );
      return given;
    case "failed":
      return { kind: "failed", hook, problem: outcome.error.message };
  }
}
