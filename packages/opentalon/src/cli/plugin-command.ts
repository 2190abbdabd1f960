import type { Command } from "commander";

/** `opentalon plugin`, which several files add commands to. */
export function findPluginCommand(program: Command): Command {
  return (
    program.commands.find((command) => command.name() === "plugin") ??
    program.command("plugin").description("look at plugins and look after them")
  );
}
