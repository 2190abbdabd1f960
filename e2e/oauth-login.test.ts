import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import {
  createOAuthServer,
  type OAuthServer,
} from "../packages/opentalon/src/providers/testing/oauth-server.ts";
import { startCore } from "./support/core-process.ts";
import { runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, type Scratch } from "./support/scratch.ts";

/** A model server that wants a token of this authorization server. */
const createGuardedModels = (oauth: OAuthServer) =>
  createModelServer(({ headers }) =>
    oauth.isWelcome(headers.authorization) ? { kind: "answer" } : { kind: "error", status: 401 },
  );

const writeConfig = (
  scratch: Scratch,
  modelUrl: string,
  oauth: OAuthServer,
  flow: "device" | "browser" = "device",
): string =>
  scratch.writeConfig(modelUrl, {
    models: {
      providers: {
        local: { base_url: modelUrl, models: ["test-model"], oauth: oauth.config(flow) },
      },
    },
  });

describe("opentalon auth", () => {
  it("signs in with a code, and turns are answered with that token until somebody signs out", async () => {
    using scratch = createScratch();
    await using oauth = await createOAuthServer({
      devicePolls: ["authorization_pending"],
      intervalSeconds: 0.1,
    });
    await using models = await createGuardedModels(oauth);
    const config = writeConfig(scratch, models.url, oauth);
    const run = (...command: string[]) =>
      runOpenTalon({ arguments: ["--config", config, ...command], folder: scratch.folder });

    const login = await run("auth", "login", "local");
    expect(login.stderr).toBe("");
    expect(login.code).toBe(0);
    expect(login.stdout).toContain(`${oauth.url}/activate`);
    expect(login.stdout).toContain("WDJB-MJHT");
    expect(login.stdout).toContain("Signed in to local.");
    const file = join(scratch.stateFolder, "oauth-tokens.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const list = await run("auth", "list");
    expect(list.stdout).toMatch(/^local +0 +oauth +[0-9a-f]{16} +\S+Z +signed in/m);

    await using core = startCore({ configPath: config });
    core.write("hello\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe("answer: hello\n");
    expect(models.requests[0]?.headers.authorization).toBe(`Bearer ${oauth.tokens()[0]}`);

    const logout = await run("auth", "logout", "local");
    expect(logout.stdout).toContain("Signed out of local");
    expect((await run("auth", "list")).stdout).toContain("run `opentalon auth login local`");
    const shown = [login, list, logout].map(({ stdout, stderr }) => stdout + stderr);
    const told = [...shown, JSON.stringify(core.log), core.otherErrors()].join("");
    for (const token of oauth.tokens()) expect(told).not.toContain(token);
  });

  it("signs in with the browser of this machine while a program runs, which then uses it", async () => {
    using scratch = createScratch();
    await using oauth = await createOAuthServer();
    await using models = await createGuardedModels(oauth);
    const configPath = writeConfig(scratch, models.url, oauth, "browser");
    await using core = startCore({ configPath });
    await core.ready();
    expect((await core.logged(({ msg }) => msg.includes("nobody is signed in"))).level).toBe(40);

    await using login = startCore({ configPath, arguments: ["auth", "login", "local"] });
    const findUrl = (): string => /^ {2}(http\S+)$/m.exec(login.output())?.[1] ?? "";
    await expect.poll(findUrl, { timeout: 30_000 }).not.toBe("");
    expect((await oauth.agree(findUrl())).status).toBe(200);
    expect(await login.exited).toBe(0);

    await expect
      .poll(
        () => {
          core.write("hello\n");
          return core.output();
        },
        { timeout: 30_000, interval: 500 },
      )
      .toContain("answer: hello");
    core.end();
    expect(await core.exited).toBe(0);
  });

  it("says what is wrong, with an exit code of 1", async () => {
    using scratch = createScratch();
    await using oauth = await createOAuthServer({
      devicePolls: ["expired_token"],
      intervalSeconds: 0.1,
    });
    const config = writeConfig(scratch, "http://127.0.0.1:1/v1", oauth);
    const run = (...command: string[]) =>
      runOpenTalon({ arguments: ["--config", config, ...command], folder: scratch.folder });
    const unknown = await run("auth", "login", "nobody");
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('There is no provider "nobody"');
    const wrongFlow = await run("auth", "login", "local", "--flow", "browser");
    expect(wrongFlow.code).toBe(1);
    expect(wrongFlow.stderr).toContain("names no authorization_url");
    const late = await run("auth", "login", "local");
    expect(late.code).toBe(1);
    expect(late.stderr).toContain("AUTH_EXPIRED");
  });
});
