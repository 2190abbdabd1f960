/**
 * Gets: a person's message that may be a slash command. Gives: the answer and what it changes in the session.
 * Never: reaches a model.
 */
import type { InboundMessage } from "../domain/message.ts";
import type { Model } from "../domain/model.ts";
import type { Session } from "../domain/session.ts";

export interface CommandOutcome {
  readonly text: string;
  readonly action: string;
  readonly clearsSession: boolean;
  /** New pin; `undefined` leaves it. */
  readonly pinnedModel: string | undefined;
}

export interface CommandPorts {
  readonly resolveModel: (name: string) => Model | undefined;
  readonly models: () => readonly Model[];
  readonly currentModel: (session: Session) => Model;
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
    names: ["/help", "/commands"],
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
  return { action: name.slice(1), clearsSession: false, pinnedModel: undefined, ...outcome };
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
      session.pinnedModel === ""
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
  };
}
