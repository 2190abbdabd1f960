import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openBrowser } from "./open-browser.ts";

const opener = process.platform === "linux" ? test : test.skip;

async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), "opentalon-browser-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const seen = join(folder, "seen");
  const script = `#!/bin/sh\n{ echo "$#"; echo "$1"; /usr/bin/env; } > ${seen}.part && /bin/mv ${seen}.part ${seen}\n`;
  await writeFile(join(folder, "xdg-open"), script);
  await chmod(join(folder, "xdg-open"), 0o755);
  const read = (): Promise<string> => readFile(seen, "utf8").catch(() => "");
  return { folder, read };
}

opener("the browser gets the address as one argument, and nothing of our secrets", async () => {
  const { folder, read } = await setUp();
  const address = "https://login.example/a?b=$(touch%20x)&c=`d`;e";
  openBrowser(address, { PATH: folder, DISPLAY: ":7", OPENAI_API_KEY: "sk-of-somebody" });
  await expect.poll(read, { timeout: 15_000 }).toContain("DISPLAY=:7");
  const text = await read();
  expect(text.split("\n").slice(0, 2)).toEqual(["1", new URL(address).href]);
  expect(text).not.toContain("sk-of-somebody");
});

opener("nothing is opened that is no web address, and a missing opener is no error", async () => {
  const { folder, read } = await setUp();
  for (const address of ["file:///etc/passwd", "javascript:alert(1)", "-x", ""])
    openBrowser(address, { PATH: folder });
  openBrowser("https://login.example/", { PATH: join(folder, "nowhere") });
  openBrowser("https://login.example/last", { PATH: folder });
  await expect.poll(read, { timeout: 15_000 }).toContain("/last");
});
