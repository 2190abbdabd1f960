import type { CallbackAnswer, CallOther, PluginState } from "./define-callbacks.ts";

const maxTries = 20;

/** What a plugin keeps, over the callbacks of one call. */
export function createPluginState(call: CallOther): PluginState {
  const read = async (key: string): Promise<string | undefined> => {
    const { content, structured } = await call("_state", "get", { key });
    return toMembers(structured)["found"] === true ? content : undefined;
  };
  /** What was there instead, when it was not what was expected. */
  const write = async (
    key: string,
    value: unknown,
    ttlSeconds: number | undefined,
    expected: { readonly text: string | undefined } | undefined,
  ): Promise<{ readonly found: string | undefined } | undefined> => {
    const text = toJson(value);
    const condition =
      expected === undefined
        ? {}
        : expected.text === undefined
          ? { if_absent: true }
          : { expected: expected.text };
    const args = { key, value: text, ttl_seconds: ttlSeconds, ...condition };
    const answer = await call("_state", "set", args);
    return toMembers(answer.structured)["stored"] === true ? undefined : { found: toFound(answer) };
  };

  return {
    get: async <Value>(key: string) => {
      const text = await read(key);
      return text === undefined ? undefined : (JSON.parse(text) as Value);
    },
    set: async (key, value, options = {}) => {
      const { ttlSeconds, expected } = options;
      const condition =
        "expected" in options
          ? { text: expected === undefined ? undefined : toJson(expected) }
          : undefined;
      return (await write(key, value, ttlSeconds, condition)) === undefined;
    },
    update: async <Value>(
      key: string,
      change: (before: Value | undefined) => Value,
      { ttlSeconds }: { readonly ttlSeconds?: number } = {},
    ) => {
      let text = await read(key);
      for (let tries = 0; tries < maxTries; tries += 1) {
        const value = change(text === undefined ? undefined : (JSON.parse(text) as Value));
        const other = await write(key, value, ttlSeconds, { text });
        if (other === undefined) return value;
        text = other.found;
      }
      throw new Error(`"${key}" is changed by others all the time; it was not changed`);
    },
    delete: async (key) => {
      const { structured } = await call("_state", "delete", { key });
      return toMembers(structured)["deleted"] === true;
    },
    list: async ({ prefix, after, limit } = {}) => {
      const { structured } = await call("_state", "list", { prefix, after, limit });
      const { keys, more } = toMembers(structured);
      return { keys: Array.isArray(keys) ? (keys as string[]) : [], more: more === true };
    },
  };
}

function toFound({ content, structured }: CallbackAnswer): string | undefined {
  return toMembers(structured)["found"] === true ? content : undefined;
}

function toMembers(structured: unknown): Readonly<Record<string, unknown>> {
  return typeof structured === "object" && structured !== null
    ? (structured as Record<string, unknown>)
    : {};
}

/** @throws TypeError for what JSON has no word for. */
function toJson(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError("only what JSON can say can be kept");
  return text;
}
