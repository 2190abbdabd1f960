/** One thing that is expected of a plugin. */
export interface Rule<Subject> {
  /** Kebab-case; stands in reports. */
  readonly name: string;
  readonly level: RuleLevel;
  /** What is expected, as a sentence about the plugin. */
  readonly title: string;
  /** How to mend it. */
  readonly remedy: string;
  /** May throw `NotReached` when the plugin does not get as far as to be asked. */
  readonly check: (subject: Subject) => Promise<Verdict>;
}

/**
 * `must`: OpenTalon cannot use a plugin that breaks it, or not safely. `should`: it works, and costs somebody something.
 * `info`: worth knowing.
 */
export type RuleLevel = "must" | "should" | "info";

export interface Verdict {
  readonly outcome: "kept" | "broken" | "not-applicable";
  /** What was seen, in a few words; may be empty for what is kept. */
  readonly why: string;
}

export function kept(why = ""): Verdict {
  return { outcome: "kept", why };
}

export function broken(why: string): Verdict {
  return { outcome: "broken", why };
}

export function notApplicable(why: string): Verdict {
  return { outcome: "not-applicable", why };
}

/** Kept unless there are problems, of which the first three are told. */
export function toVerdict(problems: readonly string[], why = ""): Verdict {
  if (problems.length === 0) return kept(why);
  const rest = problems.length - 3;
  return broken(problems.slice(0, 3).join("; ") + (rest > 0 ? `; and ${rest} more` : ""));
}

/** Thrown where a rule cannot be looked at, because another one is broken that comes before it. */
export class NotReached extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NotReached";
  }
}
