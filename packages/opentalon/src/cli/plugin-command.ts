import type { Command } from "commander";

/** `opentalon plugin`, to which each of its commands adds itself. */
export function toPluginCommand(program: Command): Command {
  return (
    program.commands.find((command) => command.name() === "plugin") ??
    program.command("plugin").description("write plugins and try them")
  );
}
