import {
  chmod,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createManualClock, systemClock } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createSecret } from "../../base/secret.ts";
import type { StoredToken } from "./stored-token.ts";
import { createTokenFile } from "./token-file.ts";
import type { TokenFile } from "./token-file.ts";

async function setUp(clock: Clock = createManualClock()) {
  const folder = await mkdtemp(join(tmpdir(), "opentalon-tokens-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "state", "oauth-tokens.json");
  const open = (): TokenFile => createTokenFile({ path, clock, log: createSilentLog() });
  return { path, directory: join(folder, "state"), open };
}

const createToken = (name: string): StoredToken => ({
  login: `login of ${name}`,
  address: "address",
  accessToken: createSecret(`access-of-${name}`),
  refreshToken: createSecret(`refresh-of-${name}`),
  obtainedAtMs: 1,
  expiresAtMs: 2,
  refusal: "",
});

const textOf = (token: StoredToken | undefined): string | undefined => token?.accessToken.reveal();

describe("the file of tokens", () => {
  it("is its owner's alone, in a directory of its own", async () => {
    const { path, directory, open } = await setUp();
    await open().update("one", () => createToken("one"));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect(await readdir(directory)).toEqual(["oauth-tokens.json"]);
  });

  it("is closed to others from its first moment on, whatever the umask", async () => {
    const { path, open } = await setUp();
    const before = process.umask(0);
    try {
      let draftMode = 0;
      await open().update("one", () => {
        draftMode = statSync(`${path}.new`).mode & 0o777;
        return createToken("one");
      });
      expect(draftMode).toBe(0o600);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    } finally {
      process.umask(before);
    }
  });

  it("is whole at every moment of being written", async () => {
    const { open } = await setUp();
    const file = open();
    await file.update("one", () => createToken("first"));
    const reader = open();
    let isWriting = true;
    const seen: (string | undefined)[] = [];
    const reading = (async () => {
      while (isWriting) {
        seen.push(textOf(reader.readNow("one")));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let round = 0; round < 30; round += 1)
      await file.update("one", () => createToken(`round-${round}`));
    isWriting = false;
    await reading;
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).not.toContain(undefined);
  });

  it("gives back what was written, after a restart too", async () => {
    const { open } = await setUp();
    await open().update("one", () => createToken("one"));
    const token = open().read("one");
    expect(textOf(token)).toBe("access-of-one");
    expect(token?.refreshToken?.reveal()).toBe("refresh-of-one");
    expect(token).toMatchObject({ login: "login of one", obtainedAtMs: 1, expiresAtMs: 2 });
    expect(open().read("two")).toBeUndefined();
  });

  it("is looked at once a second, so that a sign-in of another process is noticed", async () => {
    const clock = createManualClock();
    const { open } = await setUp(clock);
    const [program, commandLine] = [open(), open()];
    expect(program.read("one")).toBeUndefined();
    await commandLine.update("one", () => createToken("one"));
    expect(program.read("one")).toBeUndefined();
    expect(textOf(program.readNow("one"))).toBe("access-of-one");
    await commandLine.update("one", () => undefined);
    clock.advance(1_000);
    expect(program.read("one")).toBeUndefined();
  });

  it("loses nothing when many write at once, in one process and in several", async () => {
    const { open, directory } = await setUp(systemClock);
    const files = [open(), open(), open()];
    const names = Array.from({ length: 18 }, (_, index) => `provider-${index}`);
    const writes = files.flatMap((file, place) =>
      names
        .filter((_, index) => index % 3 === place)
        .map((name) => file.update(name, () => createToken(name))),
    );
    await Promise.all(writes);
    expect(names.map((name) => textOf(open().read(name)))).toEqual(
      names.map((name) => `access-of-${name}`),
    );
    expect(await readdir(directory)).toHaveLength(1);
  });

  it("stays as it was when a change fails or changes nothing", async () => {
    const { path, directory, open } = await setUp();
    const file = open();
    await file.update("one", () => createToken("one"));
    const before = await readFile(path, "utf8");
    const broken = file.update("one", () => {
      throw new Error("no");
    });
    await expect(broken).rejects.toMatchObject({ code: "AUTH_TOKENS_UNUSABLE" });
    await file.update("one", (current) => current);
    expect(await readFile(path, "utf8")).toBe(before);
    expect(await readdir(directory)).toHaveLength(1);
  });

  it("is written over the draft of a writer that crashed", async () => {
    const { path, open } = await setUp(systemClock);
    const file = open();
    await file.update("one", () => createToken("one"));
    // The clock may have been set back since.
    for (const ageMs of [60_000, -60_000]) {
      await writeFile(`${path}.new`, "half a", { mode: 0o600 });
      const when = new Date(Date.now() - ageMs);
      await utimes(`${path}.new`, when, when);
      await file.update("two", () => createToken("two"));
    }
    expect([file.read("one"), file.read("two")].map(textOf)).toEqual([
      "access-of-one",
      "access-of-two",
    ]);
  });

  it("is closed to others when somebody left it open", async () => {
    const { path, open } = await setUp();
    await open().update("one", () => createToken("one"));
    await chmod(path, 0o644);
    expect(textOf(open().read("one"))).toBe("access-of-one");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it.each(["", "{", "[]", '{"version":2,"tokens":{}}', '{"version":1,"tokens":{"one":{}}}'])(
    "is neither believed nor overwritten when it is damaged: %j",
    async (text) => {
      const { path, open } = await setUp();
      const file = open();
      await file.update("one", () => createToken("one"));
      await writeFile(path, text);
      expect(open().read("one")).toBeUndefined();
      await expect(file.update("two", () => createToken("two"))).rejects.toThrow(path);
      expect(await readFile(path, "utf8")).toBe(text);
    },
  );

  it("is no link to a file elsewhere", async () => {
    const { path, directory, open } = await setUp();
    await open().update("one", () => createToken("one"));
    const elsewhere = join(directory, "elsewhere.json");
    await writeFile(elsewhere, await readFile(path));
    await rm(path);
    await symlink(elsewhere, path);
    expect(open().read("one")).toBeUndefined();
  });
});
