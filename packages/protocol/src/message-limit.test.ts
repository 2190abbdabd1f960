import { expect, test } from "vitest";
import { defaultMessageLimitBytes, parseMessageLimit } from "./message-limit.ts";

test.each([undefined, "", "  "])("%j leaves the default", (value) => {
  expect(parseMessageLimit(value)).toEqual({ bytes: defaultMessageLimitBytes, problem: "" });
});

test("a number of bytes is taken", () => {
  expect(parseMessageLimit("1048576")).toEqual({ bytes: 1_048_576, problem: "" });
});

test.each(["0", "-1", "1.5", "32MiB", "99999999999"])(
  "%j leaves the default and says so",
  (value) => {
    const { bytes, problem } = parseMessageLimit(value);
    expect(bytes).toBe(defaultMessageLimitBytes);
    expect(problem).toContain("OPENTALON_GRPC_MAX_MSG_BYTES");
  },
);
