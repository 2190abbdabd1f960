import type { Command } from "commander";
import { toPrintableLine } from "../base/printable.ts";
import type { Config } from "../config/load-config.ts";
import { askProgramOrState, explain, withConfig } from "./ask-program.ts";
import { renderTable } from "./render-table.ts";
import { toJson } from "./routing-commands.ts";

/** Adds `opentalon pairing list`, `approve` and `revoke`. */
export function addPairingCommands(program: Command): void {
  const pairing = program.command("pairing").description("decide about strangers who want to talk");
  const configPath = (): string => program.opts<{ config: string }>().config;
  pairing
    .command("list")
    .description("list the codes that wait for approval, and who was approved")
    .option("--json", "print JSON")
    .action(async ({ json }: { json?: boolean }) => {
      process.exitCode = await withConfig(configPath(), (config) => list(config, json === true));
    });
  pairing
    .command("approve")
    .description("let the sender talk who was given this code")
    .argument("<code>", "the code as the sender tells it")
    .action(async (code: string) => {
      process.exitCode = await withConfig(configPath(), (config) =>
        change(config, "approve", { code }, "may talk now"),
      );
    });
  pairing
    .command("revoke")
    .description("take an approval back")
    .argument("<sender>", "the sender as `pairing list` names it: <channel>:<sender>")
    .action(async (sender: string) => {
      process.exitCode = await withConfig(configPath(), (config) =>
        change(config, "revoke", { sender }, "may not talk any more"),
      );
    });
}

interface PairingView {
  readonly requests: readonly {
    readonly code: string;
    readonly sender: string;
    readonly name: string;
    readonly ends: string;
  }[];
  readonly approved: readonly {
    readonly sender: string;
    readonly name: string;
    readonly since: string;
    readonly by: string;
  }[];
}

async function list(config: Config, isJson: boolean): Promise<number> {
  const answer = await askProgramOrState(config, { method: "GET", path: "/pairing" });
  if (answer.status !== 200) return explain(answer.value as { error: string });
  const view = answer.value as PairingView;
  if (isJson) {
    process.stdout.write(toJson(view));
    return 0;
  }
  const { requests, approved } = view;
  if (requests.length === 0) process.stdout.write("No code waits for approval.\n");
  else {
    const rows = requests.map(({ code, sender, name, ends }) => [code, sender, name, ends]);
    process.stdout.write(toTable(["code", "sender", "name", "valid until"], rows));
  }
  if (approved.length === 0) return 0;
  const rows = approved.map(({ sender, name, since, by }) => [sender, name, since, by]);
  process.stdout.write(`\n${toTable(["approved", "name", "since", "by"], rows)}`);
  return 0;
}

/** Names come from strangers: they must not steer the terminal. */
function toTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return renderTable(
    titles.map((title) => ({ title })),
    rows.map((cells) => cells.map(toPrintableLine)),
  );
}

async function change(
  config: Config,
  what: "approve" | "revoke",
  body: Readonly<Record<string, string>>,
  words: string,
): Promise<number> {
  const path = `/pairing/${what}`;
  const { status, value } = await askProgramOrState(config, { method: "POST", path, body });
  if (status !== 200) return explain(value as { error: string });
  const { sender } = value as { sender: string };
  process.stdout.write(`${toPrintableLine(`${sender} ${words}`)}\n`);
  return 0;
}
