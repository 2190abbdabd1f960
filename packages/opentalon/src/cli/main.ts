/** The `opentalon` command. */
import { Command, Option } from "commander";
import { addAffinityCommands } from "./affinity-commands.ts";
import { listCredentials, logIn, logOut } from "./auth.ts";
import { addCompleteCommand } from "./complete.ts";
import { addLuaCommands } from "./lua-commands.ts";
import { addMcpCommand } from "./mcp-command.ts";
import { normaliseArguments } from "./normalise-arguments.ts";
import { addPluginNewCommand } from "./plugin-new-command.ts";
import { addOutboxCommands } from "./outbox-commands.ts";
import { addPairingCommands } from "./pairing-commands.ts";
import { addSourceCommands } from "./source-commands.ts";
import { addPluginCommands } from "./plugin-commands.ts";
import { addPluginTestCommand } from "./plugin-test-command.ts";
import { programVersion } from "./program-version.ts";
import { addRoutingCommands } from "./routing-commands.ts";
import { run } from "./run.ts";
import { checkConfig, showConfig } from "./show-config.ts";

const program = new Command("opentalon")
  .description(
    "The platform between people on messaging channels, large language models, and tools.",
  )
  .version(programVersion, "-v, --version", "print the version")
  .option("--config <path>", "configuration file", "~/.opentalon/config.yaml")
  .option("--model <name>", "model or alias that answers where nobody chose another one")
  .helpOption("-h, --help", "print this help")
  .helpCommand("help [command]", "print the help of a command")
  .action(async ({ config, model }: { config: string; model?: string }) => {
    process.exitCode = await run(config, model);
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

const auth = program.command("auth").description("sign in to model providers with OAuth");
auth
  .command("login")
  .description("sign in to a model provider; a running opentalon uses it at once")
  .argument("<provider>", "name of the provider in the configuration")
  .addOption(
    new Option("--flow <flow>", "how to sign in; as configured unless given").choices([
      "device",
      "browser",
    ]),
  )
  .action(async (provider: string, { flow }: { flow?: "device" | "browser" }) => {
    process.exitCode = await logIn(program.opts<{ config: string }>().config, provider, flow);
  });
auth
  .command("list")
  .description("list the credentials of all model providers, without their values")
  .action(async () => {
    process.exitCode = await listCredentials(program.opts<{ config: string }>().config);
  });
auth
  .command("logout")
  .description("forget the tokens of a model provider")
  .argument("<provider>", "name of the provider in the configuration")
  .action(async (provider: string) => {
    process.exitCode = await logOut(program.opts<{ config: string }>().config, provider);
  });

addCompleteCommand(program);
addRoutingCommands(program);
addAffinityCommands(program);
addLuaCommands(program);
addPluginNewCommand(program);
addMcpCommand(program);
addSourceCommands(program, "plugin");
addSourceCommands(program, "channel");
addPluginCommands(program);
addPluginTestCommand(program);
addPairingCommands(program);
addOutboxCommands(program);

await program.parseAsync(normaliseArguments(process.argv.slice(2)), { from: "user" });
