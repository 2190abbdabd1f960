import type { Command } from "commander";

const groups = {
  plugin: "look at plugins and look after them",
  channel: "look after channels that come from repositories and folders",
} as const;

/** `opentalon plugin` or `opentalon channel`, which several files may add commands to. */
export function findCommandGroup(program: Command, name: keyof typeof groups): Command {
  return (
    program.commands.find((command) => command.name() === name) ??
    program.command(name).description(groups[name])
  );
}
