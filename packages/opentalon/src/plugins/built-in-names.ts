/** Names of what OpenTalon itself offers, or will: no plugin may take one, by its key or by what it reports. */
export const builtInNames: ReadonlySet<string> = new Set([
  "_meta",
  "_subprocess",
  "_escalate",
  "_notify",
  "_state",
  "opentalon",
  "scheduler",
  "reminder",
]);
