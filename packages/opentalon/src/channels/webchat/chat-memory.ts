/** What a web chat keeps over restarts: texts by name. */
export interface ChatMemory {
  readonly get: (namespace: string, key: string) => Promise<string | undefined>;
  readonly set: (namespace: string, key: string, value: string) => Promise<void>;
  readonly delete: (namespace: string, key: string) => Promise<void>;
  /** Names that begin with `prefix`. */
  readonly list: (namespace: string, prefix: string, limit: number) => Promise<readonly string[]>;
}

export const chatNamespace = "webchat";
