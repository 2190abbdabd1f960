import { expect, test } from "vitest";
import { parseGenerationZeroResponse } from "./generation-zero.ts";

const empty = {
  callId: "",
  content: "",
  error: "",
  structuredContent: "",
  capabilities: undefined,
};

test("a result is read", () => {
  expect(parseGenerationZeroResponse({ call_id: "7", content: "done" })).toEqual({
    ...empty,
    callId: "7",
    content: "done",
  });
});

test("an error without call id is read", () => {
  expect(parseGenerationZeroResponse({ error: "unknown action" })).toEqual({
    ...empty,
    error: "unknown action",
  });
});

test("capabilities of the oldest kind are read", () => {
  const parameters = [{ name: "text", description: "What to say", type: "string", required: true }];
  const caps = {
    name: "hello",
    description: "Greets",
    actions: [{ name: "prepare", description: "Prepares", parameters }],
  };
  expect(parseGenerationZeroResponse({ caps }).capabilities).toEqual({
    name: "hello",
    description: "Greets",
    systemPromptAddition: "",
    actions: [
      {
        name: "prepare",
        description: "Prepares",
        parameters: [{ ...parameters[0], schema: "" }],
        userOnly: false,
        readOnly: false,
        alwaysInclude: false,
        contextArguments: [],
      },
    ],
  });
});

test("members of a later kind are read too", () => {
  const action = {
    name: "a",
    user_only: true,
    read_only: true,
    always_include: true,
    inject_context_args: ["session_id", 7],
  };
  const response = parseGenerationZeroResponse({
    structured_content: "{}",
    caps: { system_prompt_addition: "p", actions: [action] },
  });
  expect(response.structuredContent).toBe("{}");
  expect(response.capabilities?.systemPromptAddition).toBe("p");
  expect(response.capabilities?.actions[0]).toMatchObject({
    userOnly: true,
    readOnly: true,
    alwaysInclude: true,
    contextArguments: ["session_id"],
  });
});

test("what has the wrong type counts as empty", () => {
  expect(parseGenerationZeroResponse({ call_id: 7, content: null, error: {}, caps: [] })).toEqual(
    empty,
  );
  expect(
    parseGenerationZeroResponse({ caps: { actions: [1, null, { name: 2, parameters: "x" }] } })
      .capabilities?.actions,
  ).toEqual([
    {
      name: "",
      description: "",
      parameters: [],
      userOnly: false,
      readOnly: false,
      alwaysInclude: false,
      contextArguments: [],
    },
  ]);
});

test("half a surrogate pair is replaced", () => {
  expect(parseGenerationZeroResponse(JSON.parse('{"content":"a\\ud800b"}')).content).toBe("a�b");
});

test.each([null, 1, "text", []])("%j is refused", (document) => {
  expect(() => parseGenerationZeroResponse(document)).toThrow("not a JSON object");
});
