/**
 * Gets: a person's message that may be a slash command. Gives: the answer and what it changes in the session.
 * Never: reaches a model.
 */
import type { AnswerRecord, AnswerSignal } from "../domain/answer.ts";
import type { HookEffect, HookRecord } from "../domain/hook.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { Model } from "../domain/model.ts";
import type { Session } from "../domain/session.ts";

export interface CommandOutcome {
  readonly text: string;
  readonly action: string;
  readonly clearsSession: boolean;
  /** New pin; `undefined` leaves it. */
  readonly pinnedModel: string | undefined;
  /** What the command says about the newest answer by choosing a model. */
  readonly signals: readonly AnswerSignal[];
  /** Set when the turn goes on: the command judges the newest answer, or wants another one. */
  readonly wants: "regenerate" | "accepted" | undefined;
  /** Reads the words that take the place of `text`. */
  readonly report?: (() => Promise<string>) | undefined;
}

export interface CommandPorts {
  readonly resolveModel: (name: string) => Model | undefined;
  readonly models: () => readonly Model[];
  readonly currentModel: (session: Session) => Model;
  /** What choosing `model` for the conversation says about its newest answer. */
  readonly judgeByChoice: (model: Model, session: Session) => readonly AnswerSignal[];
  /** What of the budgets is used; absent when none are kept. */
  readonly describeBudget?: () => Promise<string>;
  /** Approves a stranger's code, or takes an approval back, if the sender of the message may; gives the words for it. */
  readonly approve?: (code: string, message: InboundMessage) => Promise<string>;
  readonly revoke?: (actor: string, message: InboundMessage) => Promise<string>;
  /** The effective configuration with every secret redacted. */
  readonly showConfig: () => string;
  /** Whether the sender is the operator (sits at the terminal), who may see configuration. */
  readonly isOperator: (message: InboundMessage) => boolean;
}

interface Command {
  readonly names: readonly string[];
  readonly usage: string;
  readonly help: string;
  readonly run: (
    argument: string,
    message: InboundMessage,
    session: Session,
    ports: CommandPorts,
  ) => Partial<CommandOutcome> & { text: string };
}

const commands: readonly Command[] = [
  {
    // Telegram says `/start` for whoever begins.
    names: ["/help", "/commands", "/start"],
    usage: "/help",
    help: "this list",
    run: () => ({
      text: commands.map(({ usage, help }) => `${usage.padEnd(24)} ${help}`).join("\n"),
    }),
  },
  {
    names: ["/clear", "/new"],
    usage: "/clear, /new",
    help: "forget this conversation and start a new one",
    run: () => ({ text: "Done: this conversation starts afresh.", clearsSession: true }),
  },
  {
    names: ["/model"],
    usage: "/model [name | auto]",
    help: "show the models, choose one for this conversation, or let routing decide",
    run: (argument, _message, session, ports) => chooseModel(argument, session, ports),
  },
  {
    names: ["/stop"],
    usage: "/stop",
    help: "end the answer that is being made",
    // While one is being made the command ends it at once and does not come here.
    run: () => ({ text: "Nothing is being answered that could be stopped." }),
  },
  {
    names: ["/retry"],
    usage: "/retry",
    help: "ask the last question again; the next model answers it",
    run: (argument, _message, { lastAnswer }) => {
      if (lastAnswer === undefined)
        return { text: "There is no answer yet that could be given again." };
      // Words that nobody would read must not get lost.
      if (argument !== "")
        return {
          text: "/retry takes no words. Write what was wrong as a message, such as: no, I meant the other one.",
        };
      return { text: "", wants: "regenerate" };
    },
  },
  {
    names: ["/good"],
    usage: "/good",
    help: "say that the last answer was good; routing learns from it",
    run: (_argument, _message, { lastAnswer }) => {
      if (lastAnswer === undefined || lastAnswer.unanswered !== undefined)
        return { text: "There is no answer yet to judge." };
      if (lastAnswer.isJudged)
        return { text: "The last answer has been judged already; the first judgement counts." };
      return { text: "Noted, thank you.", wants: "accepted" };
    },
  },
  {
    names: ["/why"],
    usage: "/why",
    help: "which model gave the last answer, and why that one",
    run: (_argument, _message, { lastAnswer }) => ({
      text:
        lastAnswer === undefined
          ? "There is no answer yet, or no model gave the last one."
          : explainAnswer(lastAnswer),
    }),
  },
  {
    names: ["/budget"],
    usage: "/budget",
    help: "what this conversation and you may use, and have used",
    run: (_argument, _message, _session, { describeBudget }) => ({
      text: "No budget is set.",
      report: describeBudget,
    }),
  },
  {
    names: ["/approve"],
    usage: "/approve <code>",
    help: "let somebody talk who was given this code; for approvers",
    run: (argument, message, _session, { approve }) => ({
      text: argument === "" ? "Usage: /approve <code>" : "Nobody needs a code here.",
      report: argument === "" ? undefined : approve && (() => approve(argument, message)),
    }),
  },
  {
    names: ["/revoke"],
    usage: "/revoke <channel>:<sender>",
    help: "take that back; for approvers",
    run: (argument, message, _session, { revoke }) => ({
      text: argument === "" ? "Usage: /revoke <channel>:<sender>" : "Nobody needs a code here.",
      report: argument === "" ? undefined : revoke && (() => revoke(argument, message)),
    }),
  },
  {
    names: ["/show"],
    usage: "/show config",
    help: "the configuration in effect, secrets redacted",
    run: (argument, message, _session, ports) => {
      if (argument !== "config") return { text: "Usage: /show config" };
      if (!ports.isOperator(message))
        return { text: "Only the operator at the terminal may see the configuration." };
      return { text: ports.showConfig() };
    },
  },
];

/** Whether the text is a command, known or not. */
export function isCommand(content: string): boolean {
  return commandPattern.test(content.trim());
}

const commandPattern = /^\/([a-z][a-z_-]*)(?:\s+([^]*))?$/i;

/** Runs the command in `message`, or returns `undefined` when it is ordinary text. */
export function runCommand(
  message: InboundMessage,
  session: Session,
  ports: CommandPorts,
): CommandOutcome | undefined {
  const match = commandPattern.exec(message.content.trim());
  if (match === null) return undefined;
  const name = `/${(match[1] ?? "").toLowerCase()}`;
  const command = commands.find(({ names }) => names.includes(name));
  const outcome =
    command === undefined
      ? { text: `There is no command ${name}. /help lists them.` }
      : command.run((match[2] ?? "").trim(), message, session, ports);
  return {
    action: name.slice(1),
    clearsSession: false,
    pinnedModel: undefined,
    signals: [],
    wants: undefined,
    ...outcome,
  };
}

function chooseModel(
  name: string,
  session: Session,
  ports: CommandPorts,
): Partial<CommandOutcome> & { text: string } {
  if (name === "") {
    const current = ports.currentModel(session);
    const lines = ports.models().map((model) => `${model === current ? "*" : " "} ${model.name}`);
    const how =
      session.pinnedModel !== current.name
        ? "chosen by routing"
        : "chosen by you; /model auto lets routing decide";
    return { text: `${lines.join("\n")}\n(* answers next, ${how})` };
  }
  if (name === "auto") return { text: "Routing chooses the model again.", pinnedModel: "" };
  const model = ports.resolveModel(name);
  if (model === undefined) return { text: `There is no model "${name}". /model lists them.` };
  return {
    text: `${model.name} answers from now on in this conversation.`,
    pinnedModel: model.name,
    signals: ports.judgeByChoice(model, session),
  };
}

/** One line: who answered, why, and what it took. */
function explainAnswer(answer: AnswerRecord): string {
  const hooks = explainHooks(answer.hooks ?? []);
  // Who was refused got no answer: only the hooks are to be told of.
  if (answer.chosen === "" && hooks !== "")
    return `No model was asked, so no token was spent on an answer.${hooks}`;
  return `${explainModel(answer)}${hooks}`;
}

const hookWords: Readonly<Record<HookEffect, string>> = {
  unchanged: "changed nothing",
  changed: "changed the text",
  refused: "refused the message",
  invoked: "started actions",
  failed: "failed",
};

function explainHooks(hooks: readonly HookRecord[]): string {
  return hooks
    .map(({ hook, effect, microseconds }) => ` ${hook} ${hookWords[effect]} (${microseconds} µs).`)
    .join("");
}

function explainModel(answer: AnswerRecord): string {
  if (answer.unanswered !== undefined)
    return answer.chosen === ""
      ? "No model was asked."
      : `Nobody could answer. ${answer.chosen} came first: ${answer.reason}.`;
  const { model, chosen, reason, tried, inputTokens, outputTokens, cost } = answer;
  const who =
    model === chosen
      ? `${model} answered: ${reason}.`
      : `${model} answered, because ${chosen} could not; that one came first: ${reason}.`;
  // The reason of an escalation names them already.
  const isTold = tried.length === 0 || answer.cause === "escalation";
  const before = isTold ? "" : ` Rejected before: ${tried.join(", ")}.`;
  const price = cost > 0 ? `, $${cost.toPrecision(2)}` : "";
  return `${who}${before} ${inputTokens} tokens read, ${outputTokens} written${price}.`;
}
