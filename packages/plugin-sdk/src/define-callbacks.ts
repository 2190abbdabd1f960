/** What the author of a plugin with `callbacks: true` can do in the middle of a call. */

/** What an argument of another action may be; a text goes as it is, anything else as JSON. */
export type CallbackValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly unknown[]
  | Readonly<Record<string, unknown>>;

/** What another action answered. */
export interface CallbackAnswer {
  /** Text, made harmless by the host, and cut where it is long. */
  readonly content: string;
  /** What it gave for programs, parsed; `undefined` when there is nothing. */
  readonly structured: unknown;
}

/**
 * Has the host run an action of another plugin, or of this one, for the person the call is made for. Several may be under
 * way at once; the host runs a few side by side.
 *
 * @throws Error in words when it was refused or failed, and when the caller gave up.
 * @example
 * const { content } = await context.call("weather", "forecast", { city: "Bern", days: 3 });
 */
export type CallOther = (
  plugin: string,
  action: string,
  args?: Readonly<Record<string, CallbackValue>>,
) => Promise<CallbackAnswer>;

export interface SetOptions<Value> {
  /** Whole seconds after which it is gone; it stays when absent. */
  readonly ttlSeconds?: number;
  /** Change it only when this is what is there: exactly what `get` gave. `undefined` as a member: when nothing is. */
  readonly expected?: Value | undefined;
}

/**
 * What the plugin keeps between its calls and starts, as JSON under keys of at most 512 bytes; 1 MiB each, 10,000 entries
 * and 64 MiB in all. The host keeps it, in its own database, for this plugin alone: for all people it works for, so a
 * key should begin with whose it is.
 *
 * Every method throws an Error in words when the host refuses, or cannot reach its database.
 */
export interface PluginState {
  /** `undefined` when there is nothing. */
  readonly get: <Value = unknown>(key: string) => Promise<Value | undefined>;
  /** @returns whether it was stored: no, when `expected` was given and something else was there. */
  readonly set: <Value>(key: string, value: Value, options?: SetOptions<Value>) => Promise<boolean>;
  /**
   * Changes a value, also when other calls change it at the same time: `change` is called again then.
   *
   * @returns what was stored.
   * @throws Error after twenty tries.
   * @example
   * const count = await context.state.update<number>("count", (before = 0) => before + 1);
   */
  readonly update: <Value>(
    key: string,
    change: (before: Value | undefined) => Value,
    options?: Pick<SetOptions<Value>, "ttlSeconds">,
  ) => Promise<Value>;
  /** @returns whether there was something. */
  readonly delete: (key: string) => Promise<boolean>;
  /** Keys in order; `more` says whether to go on after the last one. */
  readonly list: (range?: {
    readonly prefix?: string;
    readonly after?: string;
    /** From 1 to 1000; 100 when absent. */
    readonly limit?: number;
  }) => Promise<{ readonly keys: readonly string[]; readonly more: boolean }>;
}
