import { InvalidArgumentError, type Command } from "commander";
import { systemClock } from "../base/clock.ts";
import {
  loadPart,
  type RoutingReplay,
  type RoutingReport,
  type RoutingReportSum,
} from "../opentalon.ts";
import { load, reportError } from "./load.ts";
import { parseSince } from "./parse-since.ts";
import {
  formatCount,
  formatMoney,
  formatPercent,
  renderTable,
  toAmount,
  toPart,
  type Column,
} from "./render-table.ts";

interface Options {
  readonly since?: number;
  readonly json?: boolean;
}

/** Adds `opentalon routing …`. */
export function addRoutingCommands(program: Command): void {
  const since = (text: string): number => {
    const sinceMs = parseSince(text, systemClock.now());
    if (sinceMs !== undefined) return sinceMs;
    throw new InvalidArgumentError("It looks like 30d, 12h or 2026-11-22.");
  };
  const sinceHelp = "only what happened since then, such as 30d, 12h or 2026-11-22";
  const routing = program.command("routing").description("look at how models were chosen");
  const configPath = (): string => program.opts<{ config: string }>().config;
  routing
    .command("report")
    .description("what was spent, and what always asking the strongest model would have cost")
    .option("--since <time>", sinceHelp, since)
    .option("--json", "print JSON")
    .action(async (options: Options) => {
      process.exitCode = await printReport(configPath(), options);
    });
  routing
    .command("replay")
    .description("let a router that starts with nothing choose again over the recorded history")
    .option("--since <time>", sinceHelp, since)
    .option("--json", "print JSON")
    .action(async (options: Options) => {
      process.exitCode = await printReplay(configPath(), options);
    });
}

async function printReport(path: string, { since: sinceMs, json }: Options): Promise<number> {
  const loaded = await load(path, { needs: "state" });
  if (loaded === undefined) return 1;
  try {
    const { reportRouting } = await loadPart.routingReport();
    const report = await reportRouting({ config: loaded.config, clock: systemClock, sinceMs });
    process.stdout.write(json === true ? toReportJson(report, sinceMs) : toReportText(report));
    return 0;
  } catch (error) {
    reportError(error);
    return 1;
  }
}

async function printReplay(path: string, { since: sinceMs, json }: Options): Promise<number> {
  const loaded = await load(path, { needs: "state" });
  if (loaded === undefined) return 1;
  try {
    const { replayRouting } = await loadPart.routingReplay();
    const replay = await replayRouting({ config: loaded.config, clock: systemClock, sinceMs });
    process.stdout.write(json === true ? toReplayJson(replay, sinceMs) : toReplayText(replay));
    return 0;
  } catch (error) {
    reportError(error);
    return 1;
  }
}

/** Why nothing is chosen, and what to do; for a configuration with fewer than two models with a weight. */
export function explainNoChoice(choices: readonly string[]): string {
  const now = choices[0] === undefined ? "none has" : `only ${choices[0]} has`;
  return [
    `Routing has nothing to choose from: it needs two models with a weight, and ${now} one.`,
    "Give the cheap model a high weight and the strong one a low weight under models.catalog,",
    "for example 90 and 10, and start OpenTalon again.",
    "",
  ].join("\n");
}

function explainNothingRecorded(choices: readonly string[]): string {
  if (choices.length < 2) return `Nothing was recorded.\n${explainNoChoice(choices)}`;
  return "Nothing was recorded for this time. Every answer is, while OpenTalon runs with this configuration.\n";
}

const reportColumns: readonly Column[] = [
  { title: "task" },
  { title: "model" },
  { title: "answers", isNumber: true },
  { title: "accepted", isNumber: true },
  { title: "rejected", isNumber: true },
  { title: "tokens", isNumber: true },
  { title: "spent", isNumber: true },
  { title: "strongest", isNumber: true },
  { title: "saved", isNumber: true },
];

function toReportText({ rows, total, choices }: RoutingReport): string {
  if (rows.length === 0) return explainNothingRecorded(choices);
  const table = renderTable(reportColumns, [
    ...rows.map((row) => [row.task, row.model, ...toCells(row)]),
    ["total", "", ...toCells(total)],
  ]);
  const legend =
    "\nstrongest: what the same tokens cost at the prices of the strongest model.\n" +
    "Answers that nobody judged are neither accepted nor rejected.\n";
  const prices = total.strongestCost === 0 ? `${noPrices}\n` : "";
  return `${table}${legend}${prices}${choices.length < 2 ? `\n${explainNoChoice(choices)}` : ""}`;
}

const noPrices =
  "No prices are known: set `cost` of the models under models.providers to see what was saved.";

function toCells(sum: RoutingReportSum): readonly string[] {
  return [
    formatCount(sum.answers),
    formatCount(sum.accepted),
    formatCount(sum.rejected),
    formatCount(sum.inputTokens + sum.outputTokens),
    formatMoney(sum.cost),
    formatMoney(sum.strongestCost),
    formatPercent(sum.saved),
  ];
}

function toReportJson({ rows, total, choices }: RoutingReport, sinceMs: number | undefined) {
  const toSum = (sum: RoutingReportSum) => ({
    answers: sum.answers,
    accepted: sum.accepted,
    rejected: sum.rejected,
    input_tokens: sum.inputTokens,
    output_tokens: sum.outputTokens,
    spent_usd: toAmount(sum.cost),
    strongest_usd: toAmount(sum.strongestCost),
    saved: sum.saved ?? null,
  });
  return toJson({
    since: toTime(sinceMs),
    choices,
    rows: rows.map((row) => ({ task: row.task, model: row.model, ...toSum(row) })),
    total: toSum(total),
  });
}

type Sum = NonNullable<RoutingReplay["replay"]>["total"];

function toReplayText({ choices, replay }: RoutingReplay): string {
  if (replay === undefined) return explainNoChoice(choices);
  const { total, curve, judgements } = replay;
  if (total.questions === 0) return explainNothingRecorded(choices);
  const { questions, known } = total;
  const percent = (part: number, of: number): string => formatPercent(toPart(part, of));
  const money = (cost: number, of: number): string => (of === 0 ? "-" : formatMoney(cost / of));
  const facts = [
    `${count(questions, "judged question")}, ${count(judgements, "judgement")} in all.`,
    "",
    "Measured:",
    `  The first answer was accepted for ${percent(total.acceptedThen, questions)} of them; on average it cost ${money(total.costThen, questions)}.`,
    `  A router that starts with nothing asks the same model first for ${percent(total.agreed, questions)}.`,
    "",
    `Estimated, from the ${count(known, "question")} (${percent(known, questions)}) that the replayed choice did answer then:`,
    `  Of its answers ${percent(total.knownAcceptedNow, known)} were accepted, at ${money(total.knownCostNow, known)} each;`,
    `  of the first answers to the same questions ${percent(total.knownAcceptedThen, known)}, at ${money(total.knownCostThen, known)}.`,
    "  What it would have got for the other questions nobody knows; they are left out, and they are not like these.",
    "",
  ];
  const table = renderTable(
    [
      { title: "questions", isNumber: true },
      { title: "same choice", isNumber: true },
      { title: "accepted then", isNumber: true },
      { title: "cost then", isNumber: true },
      { title: "known", isNumber: true },
      { title: "accepted (estimated)", isNumber: true },
      { title: "cost (estimated)", isNumber: true },
    ],
    curve.map((slice) => [
      formatCount(slice.questions),
      percent(slice.agreed, slice.questions),
      percent(slice.acceptedThen, slice.questions),
      money(slice.costThen, slice.questions),
      formatCount(slice.known),
      percent(slice.knownAcceptedNow, slice.known),
      money(slice.knownCostNow, slice.known),
    ]),
  );
  return `${facts.join("\n")}\nAs it learns, oldest questions first:\n${table}`;
}

function toReplayJson({ choices, replay }: RoutingReplay, sinceMs: number | undefined): string {
  const toSum = (sum: Sum) => ({
    questions: sum.questions,
    same_choice: sum.agreed,
    measured: { accepted: sum.acceptedThen, first_answers_usd: toAmount(sum.costThen) },
    estimated: {
      known_questions: sum.known,
      accepted: sum.knownAcceptedNow,
      usd: toAmount(sum.knownCostNow),
      accepted_then: sum.knownAcceptedThen,
      first_answers_usd_then: toAmount(sum.knownCostThen),
    },
  });
  return toJson({
    since: toTime(sinceMs),
    choices,
    judgements: replay?.judgements ?? 0,
    total: replay === undefined ? null : toSum(replay.total),
    curve: (replay?.curve ?? []).map(toSum),
  });
}

export function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function count(amount: number, one: string): string {
  return `${formatCount(amount)} ${one}${amount === 1 ? "" : "s"}`;
}

function toTime(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
