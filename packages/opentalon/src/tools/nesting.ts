/** A plugin that asks for an action in the middle of a call. */
export interface Asker {
  /** Of its entry. */
  readonly key: string;
  /** The operator trusts it to have tools run, and to say for whom. */
  readonly isTrusted: boolean;
  /** Whether the call it asks in the middle of may change anything. */
  readonly mayChange: boolean;
}

/** An outermost call and everything it comes to. */
export interface Nesting {
  /** How many calls this one lies in. */
  readonly depth: number;
  /** How many actions may still be run; shared by all of them. */
  readonly budget: { left: number };
}
