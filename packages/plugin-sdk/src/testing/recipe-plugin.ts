/** A plugin made with the SDK that has other actions run and keeps state, for its tests. */
import { serveTool } from "../index.ts";

await serveTool({
  name: "recipe",
  description: "Cooks",
  callbacks: true,
  actions: {
    call: {
      description: "Calls what it is told, all at once",
      parameters: { calls: { type: "array", description: "Lists of plugin, action, arguments" } },
      run: async ({ calls }, { call }) => {
        const wanted = calls as [string, string, Record<string, string>][];
        const answers = await Promise.all(
          wanted.map(([plugin, action, args]) => call(plugin, action, args)),
        );
        return JSON.stringify(answers);
      },
    },
    typed: {
      description: "Calls with arguments of every type",
      parameters: {},
      run: async (_args, { call }) => {
        const args = {
          text: "a",
          number: 1.5,
          flag: false,
          list: [1],
          object: { a: 1 },
          none: null,
        };
        return (await call("other", "typed", { ...args, absent: undefined })).content;
      },
    },
    remember: {
      description: "Keeps a value, and says what it is then",
      parameters: { key: "Where", value: "What" },
      run: async ({ key, value }, { state }) => {
        await state.set(key, { value }, { ttlSeconds: 60 });
        return JSON.stringify([await state.get(key), await state.get("missing")]);
      },
    },
    count: {
      description: "Counts",
      parameters: {},
      run: async (_args, { state }) =>
        String(await state.update<number>("count", (before = 0) => before + 1)),
    },
    swap: {
      description: "Sets only what is not there, or is what it was",
      parameters: {},
      run: async (_args, { state }) =>
        JSON.stringify([
          await state.set("s", 1, { expected: undefined }),
          await state.set("s", 2, { expected: undefined }),
          await state.set("s", 2, { expected: 1 }),
          await state.get("s"),
          await state.list({ prefix: "s", limit: 1 }),
          await state.delete("s"),
          await state.delete("s"),
        ]),
    },
    wait: {
      description: "Waits for an answer that does not come",
      parameters: {},
      run: async (_args, { call }) => {
        await call("other", "never").catch((error: unknown) =>
          console.error(`told: ${String(error)}`),
        );
        return "";
      },
    },
    fail: {
      description: "Fails",
      parameters: {},
      run: () => {
        throw new Error("it burnt");
      },
    },
  },
});
