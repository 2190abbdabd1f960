import { expect, it } from "vitest";
import { createConfirmationCheck } from "./check-confirmation.ts";

const check = createConfirmationCheck({ plugin: "gate", action: "decide" });
const answering =
  (content: string, isError = false) =>
  () =>
    Promise.resolve({ content, isError });

it("the decider is told which action is meant", async () => {
  const asked: unknown[] = [];
  await check({ plugin: "mail", action: "send" }, (step, callId) => {
    asked.push(step, callId);
    return Promise.resolve({ content: "", isError: false });
  });
  const steps = JSON.stringify([{ plugin: "mail", action: "send", name: "send" }]);
  expect(asked).toEqual([
    { plugin: "gate", action: "decide", arguments: { steps } },
    "confirmation-check",
  ]);
});

it.each([
  ['{"requires_confirmation": false}', false],
  ['{"requires_confirmation": false, "confirm_before_step": -1}', false],
  ['{"requires_confirmation": false, "confirm_before_step": 0}', true],
  ['{"requires_confirmation": true}', true],
  ['{"requires_confirmation": "false"}', true],
  ["{}", true],
  ["null", true],
  ["no", true],
  ["", true],
])("the answer %s means: %s", async (content, expected) => {
  expect(await check({ plugin: "mail", action: "send" }, answering(content))).toBe(expected);
});

it("a failure means that the person has to agree, and the decider is not asked about itself", async () => {
  const cleared = '{"requires_confirmation": false}';
  expect(await check({ plugin: "mail", action: "send" }, answering(cleared, true))).toBe(true);
  expect(await check({ plugin: "gate", action: "x" }, answering("never asked"))).toBe(false);
});
