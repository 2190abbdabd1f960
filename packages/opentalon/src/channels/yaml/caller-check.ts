/** What is known about the caller of a webhook. */
export type CallerCheck =
  | { readonly kind: "genuine"; readonly claims: Readonly<Record<string, unknown>> }
  | { readonly kind: "stranger"; readonly problem: string }
  /** The keys to check with cannot be had right now. */
  | { readonly kind: "undecided"; readonly problem: string };
