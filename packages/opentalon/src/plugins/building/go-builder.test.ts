import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { goBuilder } from "./go-builder.ts";

test("looks for the program in files of the repository only, since a link may lead to one that never ends", async () => {
  const outside = mkdtempSync(join(tmpdir(), "opentalon-go-"));
  onTestFinished(() => rmSync(outside, { recursive: true }));
  const folder = join(outside, "plugin");
  mkdirSync(join(folder, "cmd", "dice"), { recursive: true });
  for (const path of ["main.go", "plugin/cmd/dice/main.go"])
    writeFileSync(join(outside, path), "package main\n");
  symlinkSync("../main.go", join(folder, "main.go"));
  symlinkSync("/dev/zero", join(folder, "endless.go"));
  const commands: (readonly string[])[] = [];
  const place = {
    purpose: "plugin" as const,
    folder,
    scratch: outside,
    name: "dice",
    binary: "dice-plugin",
  };
  await goBuilder.build(place, async ({ command }) => void commands.push(command));
  expect(commands).toEqual([["go", "build", "-buildvcs=false", "-o", "dice-plugin", "./cmd/dice"]]);
});
