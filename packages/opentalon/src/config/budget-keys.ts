import * as z from "zod/mini";
import type { Key } from "./key.ts";
import { choice, number, section, text, whole } from "./keys.ts";

const money = number({ about: "US dollars; 0 is no limit.", default: 0 });
const tokens = whole({ about: "Tokens, read and written together; 0 is no limit.", default: 0 });
const period = choice({
  about: "What the budget is for; at the end of it the next one begins.",
  words: ["day", "month"],
  default: "day",
});

export const budgets = section({
  about: "How much models may be used. A question that comes when a budget is used up is refused.",
  keys: {
    session: section({
      about: "Of one conversation; `/clear` begins a new one.",
      keys: { money, tokens },
    }),
    person: section({
      about: "Of one person: a sender of a channel, over all conversations there.",
      keys: { money, tokens, period },
    }),
    total: section({ about: "Of everybody together.", keys: { money, tokens, period } }),
    warn_at: whole({
      about:
        "Percent of a budget at which the log tells, and the person for conversation and person; 0 is never.",
      default: 80,
    }),
    time_zone: timeZone(),
  },
});

function timeZone(): Key<string, ""> {
  const example = "Europe/Berlin";
  const common = { about: "Where a day and a month begin at midnight.", default: "UTC", example };
  let schema: z.ZodMiniType<string> | undefined;
  return {
    ...text(common),
    type: "time zone",
    expected: `the name of a time zone, for example ${example}`,
    schema: () => (schema ??= z.string().check(z.refine(isTimeZone))),
  };
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
