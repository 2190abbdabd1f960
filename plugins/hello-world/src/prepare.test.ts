import { expect, test } from "vitest";
import { prepare } from "./prepare.ts";
import { questions } from "./questions.ts";

const options = { promptFragment: "Why?", random: () => 0 };

test.each([
  ["hello", "hello world\n\nWhy?"],
  ["  Hello \n", "Hello world\n\nWhy?"],
  ["say HELLO to the team", "say HELLO to the team world\n\nWhy?"],
  ["hello world", "hello world\n\nWhy?"],
  ["Hello WORLD  ", "Hello WORLD\n\nWhy?"],
  ["helloworld", "helloworld world\n\nWhy?"],
  ["world, hello!", "world, hello! world\n\nWhy?"],
])("%j becomes %j", (text, expected) => {
  expect(prepare(text, options)).toBe(expected);
});

test.each(["", "good morning", "helo"])("%j is answered without a model", (text) => {
  const answer = JSON.parse(prepare(text, options)) as Record<string, unknown>;
  expect(answer["send_to_llm"]).toBe(false);
  expect(answer["message"]).toMatch(/hello/i);
});

test("every question can come up, and nothing else", () => {
  const steps = questions.map((_question, index) => (index + 0.5) / questions.length);
  const answers = [0, ...steps, 0.999_999].map((value) =>
    prepare("hello", { promptFragment: "", random: () => value }),
  );
  expect(new Set(answers.map((answer) => answer.split("\n\n")[1]))).toEqual(new Set(questions));
});
