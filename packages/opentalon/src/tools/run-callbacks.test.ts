import fc from "fast-check";
import { expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import type { CallbackRequest, RawToolResult } from "../domain/plugin.ts";
import type { CheckedCall, ToolCallRequest } from "./call-tool.ts";
import { createCallbackRunner, maxCallDepth, maxNestedCalls } from "./run-callbacks.ts";
import { createTool } from "./testing/create-tool.ts";

const { signal } = new AbortController();

function toOuter(more: Partial<CheckedCall> = {}): CheckedCall {
  return {
    callId: "1",
    tool: createTool(),
    arguments: {},
    given: {},
    context: {
      actor: "console:ann",
      sessionKey: "console:room",
      conversationId: "room",
      groupId: "people",
      allowedPlugins: ["weather"],
      encoding: "native",
      fromModel: true,
    },
    signal,
    tripwire: undefined,
    ...more,
  };
}

/** How a plugin goes on: for each of its requests, what the plugin it calls does in turn. */
interface Tree {
  readonly asker: string;
  readonly args: Readonly<Record<string, string>>;
  readonly repeat: number;
  readonly inside: readonly Tree[];
}

const text = fc.string({ unit: "binary", maxLength: 20 });
const argumentName = fc.oneof(
  text,
  fc.constantFrom("__ot_cb_entity_id", "__ot_cb_group_id", "__ot_cb_session_id", "__proto__"),
);
const toTree = (level: number): fc.Arbitrary<Tree> =>
  fc.record({
    asker: fc.constantFrom("trusted", "doubted"),
    args: fc.dictionary(argumentName, text, { maxKeys: 4 }),
    repeat: fc.constantFrom(1, 1, 2, 40),
    inside: level === 0 ? fc.constant([]) : fc.array(toTree(level - 1), { maxLength: 2 }),
  });
const tree = toTree(maxCallDepth + 1);

it("whoever asks for what inside of what, there is an end, and nobody becomes somebody else unasked", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(tree, { maxLength: 4 }), async (trees) => {
      const performed: ToolCallRequest[] = [];
      const plans = new Map<string, readonly Tree[]>();
      const run = createCallbackRunner({
        perform: async (request) => {
          performed.push(request);
          const { context, call } = request;
          const nested = toOuter({ context, callId: call.id });
          await askAll(plans.get(call.id) ?? [], nested);
          return { answer: { content: "", error: "", structuredContent: "" } };
        },
        isTrusted: (key) => key === "trusted",
        ownActions: {},
        clock: createManualClock(),
        log: createSilentLog(),
      });
      const askAll = async (wanted: readonly Tree[], outer: CheckedCall): Promise<void> => {
        const onCallback = run(outer);
        let count = 0;
        for (const { asker, args, repeat, inside } of wanted) {
          for (let time = 0; time < repeat; time += 1) {
            count += 1;
            plans.set(`${outer.callId}/${count}`, inside);
            const request: CallbackRequest = { asker, plugin: "p", action: "a", arguments: args };
            const before = performed.length;
            await onCallback(request, signal);
            if (performed.length === before) count -= 1;
          }
        }
      };
      await askAll(trees, toOuter());
      expect(performed.length).toBeLessThanOrEqual(maxNestedCalls);
      for (const { call, context } of performed) {
        expect(context.nesting?.depth).toBeLessThanOrEqual(maxCallDepth);
        expect(call.id.split("/").length - 1).toBe(context.nesting?.depth);
        const names = Object.keys(call.arguments);
        expect(names.filter((name) => name.startsWith("__ot_cb_"))).toEqual([]);
        expect(context.allowedPlugins).toEqual(["weather"]);
        expect(context).toMatchObject({ fromModel: false, actsForPerson: true });
      }
      const doubted = performed.filter(({ context }) => context.nesting?.depth === 1);
      for (const { context } of doubted.filter((made) => made.context.asker?.key === "doubted")) {
        expect(context).toMatchObject({
          actor: "console:ann",
          groupId: "people",
          sessionKey: "console:room",
        });
      }
    }),
  );
});

it("own actions are found by their very name alone", async () => {
  const asked: string[] = [];
  const answer: RawToolResult = { content: "own", error: "", structuredContent: "" };
  const run = createCallbackRunner({
    perform: ({ call }) => {
      asked.push(call.name);
      return Promise.resolve({ answer: { ...answer, content: "other" } });
    },
    isTrusted: () => false,
    ownActions: { _state: () => Promise.resolve(answer) },
    clock: createManualClock(),
    log: createSilentLog(),
  })(toOuter());
  const ask = async (plugin: string) =>
    (await run({ asker: "a", plugin, action: "get", arguments: {} }, signal)).content;
  expect(await ask("_state")).toBe("own");
  for (const plugin of ["constructor", "-state", "__proto__", "_State", " _state"])
    expect(await ask(plugin)).toBe("other");
  expect(asked).toHaveLength(5);
});
