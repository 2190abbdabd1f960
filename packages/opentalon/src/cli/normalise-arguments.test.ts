import { expect, it } from "vitest";
import { normaliseArguments } from "./normalise-arguments.ts";

it("reads the one-dash options of the Go program", () => {
  expect(normaliseArguments(["-config", "a.yaml"])).toEqual(["--config", "a.yaml"]);
  expect(normaliseArguments(["-config=a.yaml", "-version"])).toEqual([
    "--config=a.yaml",
    "--version",
  ]);
});

it("leaves everything else alone", () => {
  const given = ["--config", "-configuration", "config", "-c", "x -config"];
  expect(normaliseArguments(given)).toEqual(given);
});
