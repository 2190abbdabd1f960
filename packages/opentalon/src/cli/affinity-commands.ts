import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { loadPart, type AffinityView } from "../opentalon.ts";
import { load, reportError } from "./load.ts";
import { formatCount, formatPercent, renderTable } from "./render-table.ts";
import { explainNoChoice, toJson } from "./routing-commands.ts";

/** Adds `opentalon affinity …`. */
export function addAffinityCommands(program: Command): void {
  const affinity = program
    .command("affinity")
    .description("look at what was learnt about models, or forget it");
  const configPath = (): string => program.opts<{ config: string }>().config;
  affinity
    .command("show")
    .description("which model would be asked first for each kind of task, and what is believed")
    .option("--json", "print JSON")
    .action(async ({ json }: { json?: boolean }) => {
      process.exitCode = await print(configPath(), json === true);
    });
  affinity
    .command("reset")
    .description("forget all that was learnt; reports keep their numbers")
    .option("--yes", "do not ask")
    .action(async ({ yes }: { yes?: boolean }) => {
      process.exitCode = await reset(configPath(), yes === true);
    });
}

async function print(path: string, isJson: boolean): Promise<number> {
  const loaded = await load(path, { needs: "state" });
  if (loaded === undefined) return 1;
  try {
    const { showAffinity } = await loadPart.affinity();
    const view = await showAffinity({ config: loaded.config, clock: systemClock });
    process.stdout.write(isJson ? toViewJson(view) : toViewText(view));
    return 0;
  } catch (error) {
    reportError(error);
    return 1;
  }
}

async function reset(path: string, isAgreed: boolean): Promise<number> {
  const loaded = await load(path, { needs: "state" });
  if (loaded === undefined) return 1;
  if (!isAgreed && !(await askWhetherToForget())) return 1;
  try {
    const { resetAffinity } = await loadPart.affinity();
    const place = await resetAffinity({ config: loaded.config, clock: systemClock });
    process.stdout.write(
      `Forgotten: what was learnt in ${place}. A running OpenTalon notices with its next questions.\n`,
    );
    return 0;
  } catch (error) {
    reportError(error);
    return 1;
  }
}

async function askWhetherToForget(): Promise<boolean> {
  const { stdin: input, stderr: output } = process;
  if (!input.isTTY || !output.isTTY) {
    output.write("opentalon: this forgets all that was learnt; say --yes to do it.\n");
    return false;
  }
  const terminal = createInterface({ input, output });
  const ended = new AbortController();
  terminal.once("close", () => ended.abort());
  try {
    const question = "Forget all that was learnt about models? [y/N] ";
    const answer = await terminal.question(question, { signal: ended.signal });
    if (/^y(es)?$/i.test(answer.trim())) return true;
  } catch {
    output.write("\n");
  } finally {
    terminal.close();
  }
  output.write("Nothing was changed.\n");
  return false;
}

function toViewText({ choices, tasks, judgements, isEnabled }: AffinityView): string {
  if (tasks.length === 0) return explainNoChoice(choices);
  const rows = tasks.flatMap(({ task, first, cause, models }) =>
    models.map(({ model, weight, right, accepted, rejected }, at) => [
      at === 0 ? task : "",
      model === first ? "*" : "",
      model,
      String(weight),
      formatPercent(right),
      formatCount(accepted + rejected),
      formatCount(accepted),
      model === first && cause === "task-pin" ? "pinned" : "",
    ]),
  );
  const pinnedElsewhere = tasks
    .filter(({ first, models }) => !models.some(({ model }) => model === first))
    .map(({ task, first }) => `${task} goes to ${first} (routing.pin).\n`);
  const table = renderTable(
    [
      { title: "task" },
      { title: "" },
      { title: "model" },
      { title: "weight", isNumber: true },
      { title: "right", isNumber: true },
      { title: "judgements", isNumber: true },
      { title: "accepted", isNumber: true },
      { title: "" },
    ],
    rows,
  );
  const made = tasks.filter(({ questions }) => questions === 0).map(({ task }) => task);
  const notes = [
    "* would be asked first. right: believed chance that an answer is right.\n",
    made.length === 0
      ? ""
      : `Nothing is recorded yet of ${made.join(", ")}: the line is for a made-up question.\n`,
    isEnabled ? "" : "routing.affinity.enabled is false: the weights alone decide.\n",
    judgements === 0 ? "Nothing was learnt yet.\n" : "",
    ...pinnedElsewhere,
  ];
  return `${table}\n${notes.join("")}`;
}

function toViewJson({ isEnabled, choices, judgements, tasks }: AffinityView): string {
  return toJson({
    enabled: isEnabled,
    choices,
    judgements,
    tasks: tasks.map(({ task, first, cause, questions, models }) => ({
      task,
      first,
      cause,
      recorded_questions: questions,
      models,
    })),
  });
}
