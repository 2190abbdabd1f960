/** The `opentalon` command. */
import { Command } from "commander";
import { normaliseArguments } from "./normalise-arguments.ts";
import { programVersion } from "./program-version.ts";
import { run } from "./run.ts";
import { checkConfig, showConfig } from "./show-config.ts";

const program = new Command("opentalon")
  .description(
    "The platform between people on messaging channels, large language models, and tools.",
  )
  .version(programVersion, "-v, --version", "print the version")
  .option("--config <path>", "configuration file", "~/.opentalon/config.yaml")
  .helpOption("-h, --help", "print this help")
  .helpCommand("help [command]", "print the help of a command")
  .action(async ({ config }: { config: string }) => {
    process.exitCode = await run(config);
  });

const config = program.command("config").description("look at the configuration");
config
  .command("check")
  .description("check the configuration file; exit code 1 when something is wrong")
  .action(async () => {
    process.exitCode = await checkConfig(program.opts<{ config: string }>().config);
  });
config
  .command("show")
  .description("print the configuration in effect, secrets redacted")
  .action(async () => {
    process.exitCode = await showConfig(program.opts<{ config: string }>().config);
  });

await program.parseAsync(normaliseArguments(process.argv.slice(2)), { from: "user" });
