/** What passes between a script and the program: JSON, with lists where the keys of a table are 1 to n. */
export type LuaValue =
  | string
  | number
  | boolean
  | null
  | readonly LuaValue[]
  | { readonly [key: string]: LuaValue };

/** What a script gets for something it asked the program. */
export type HostAnswer =
  | { readonly value: LuaValue }
  /** Becomes an error of the script, which it may catch. */
  | { readonly problem: string };
