/** What passes between a script and the program: JSON, with lists where the keys of a table are 1 to n. */
export type LuaValue =
  | string
  | number
  | boolean
  | null
  | readonly LuaValue[]
  | { readonly [key: string]: LuaValue };
