/** What a web chat keeps over restarts: texts by name. */
export interface ChatMemory {
  readonly get: (namespace: string, key: string) => Promise<string | undefined>;
  readonly set: (namespace: string, key: string, value: string) => Promise<void>;
}

export const chatNamespace = "webchat";
