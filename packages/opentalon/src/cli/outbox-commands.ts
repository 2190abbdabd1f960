import type { Command } from "commander";
import { toPrintableLine } from "../base/printable.ts";
import { redactSecrets } from "../base/secret.ts";
import type { Config } from "../config/load-config.ts";
import { askProgramOrState, explain, withConfig } from "./ask-program.ts";
import { formatCount, renderTable } from "./render-table.ts";
import { toJson } from "./routing-commands.ts";

interface ListOptions {
  readonly state?: string;
  readonly json?: boolean;
  readonly text?: boolean;
}

/** Adds `opentalon outbox list`, `resend` and `drop`. */
export function addOutboxCommands(program: Command): void {
  const outbox = program.command("outbox").description("look after replies on their way");
  const configPath = (): string => program.opts<{ config: string }>().config;
  outbox
    .command("list")
    .description("list the replies that were not delivered, the newest first")
    .option(
      "--state <states>",
      "waiting, sending, failed, unknown, dropped, delivered; several with commas",
    )
    .option("--json", "print JSON")
    .option("--text", "print what the replies say, too")
    .action(async (options: ListOptions) => {
      process.exitCode = await withConfig(configPath(), (config) => list(config, options));
    });
  outbox
    .command("resend")
    .description("send a reply again that was given up or may not have arrived")
    .argument("<id>", "the reply as `outbox list` names it")
    .action(async (id: string) => {
      process.exitCode = await withConfig(configPath(), (config) => resend(config, id));
    });
  outbox
    .command("drop")
    .description("give a reply up")
    .argument("<id>", "the reply as `outbox list` names it")
    .action(async (id: string) => {
      process.exitCode = await withConfig(configPath(), (config) => drop(config, id));
    });
}

interface DeliveryView {
  readonly id: string;
  readonly state: string;
  readonly channel: string;
  readonly conversation: string;
  readonly attempts: number;
  readonly problem: string;
  readonly text?: string;
}

async function list(config: Config, { state, json, text }: ListOptions): Promise<number> {
  const query = new URLSearchParams();
  if (state !== undefined) query.set("state", state);
  if (text === true) query.set("text", "1");
  const path = `/outbox?${query.toString()}`;
  const { status, value, isRunning } = await askProgramOrState(config, { method: "GET", path });
  if (status !== 200) return explain(value as { error: string });
  const { deliveries } = value as { deliveries: readonly DeliveryView[] };
  if (json === true) {
    process.stdout.write(toJson({ running: isRunning, deliveries }));
    return 0;
  }
  if (deliveries.length === 0) {
    process.stdout.write(
      state === undefined ? "No reply waits or has failed.\n" : "There is no such reply.\n",
    );
    return 0;
  }
  const rows = deliveries.map(({ id, state, channel, conversation, attempts, problem }) => [
    id,
    state,
    toPrintableLine(`${channel} ${conversation}`),
    formatCount(attempts),
    toPrintableLine(redactSecrets(problem)),
  ]);
  process.stdout.write(
    renderTable(
      [
        { title: "reply" },
        { title: "state" },
        { title: "to" },
        { title: "attempts", isNumber: true },
        { title: "problem" },
      ],
      rows,
    ),
  );
  for (const { id, text: said } of deliveries)
    if (said !== undefined) process.stdout.write(`\n${toPrintableLine(`${id}: ${said}`)}\n`);
  return 0;
}

async function resend(config: Config, id: string): Promise<number> {
  const path = `/outbox/${encodeURIComponent(id)}/resend`;
  const { status, value } = await askProgramOrState(config, { method: "POST", path });
  if (status !== 200) return explain(value as { error: string });
  const { sends_now: isSent } = value as { sends_now: boolean };
  const when = isSent ? "is being sent again" : "goes out with the next start of OpenTalon";
  process.stdout.write(`${toPrintableLine(`${id} ${when}`)}\n`);
  return 0;
}

async function drop(config: Config, id: string): Promise<number> {
  const path = `/outbox/${encodeURIComponent(id)}/drop`;
  const { status, value } = await askProgramOrState(config, { method: "POST", path });
  if (status !== 200) return explain(value as { error: string });
  process.stdout.write(`${toPrintableLine(`${id} is given up`)}\n`);
  return 0;
}
