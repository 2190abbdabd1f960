import type { InboundMessage } from "../domain/message.ts";
import { isCommand } from "./run-command.ts";

const telling = ["confirmation", "control", "reaction", "reaction_to", "signal", "_typing"];

/** A command, a click on a button, a reaction: it must not become part of another message. */
export function standsAlone({ content, metadata }: InboundMessage): boolean {
  return isCommand(content) || telling.some((key) => metadata[key] !== undefined);
}

/** Ends the turn that runs, and so must not wait behind it. */
export function isStopCommand({ content }: Pick<InboundMessage, "content">): boolean {
  return /^\s*\/stop\s*$/i.test(content);
}
