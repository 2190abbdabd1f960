/** What a step before or after the model did to a turn. */
export type HookEffect = "unchanged" | "changed" | "refused" | "invoked" | "failed";

/** One run of such a step, for the log and for `/why`. */
export interface HookRecord {
  /** `lua:<script>`, or `<plugin>__<action>`. */
  readonly hook: string;
  readonly effect: HookEffect;
  readonly microseconds: number;
}
