import { dirname } from "node:path";
import { expect, test } from "vitest";
import { createSecret } from "../base/secret.ts";
import { toChildEnvironment } from "./child-environment.ts";

const temporaryFolder = "/tmp/x";

test("only names of the list are passed on", () => {
  const host = {
    PATH: "/bin",
    HOME: "/home/o",
    LANG: "C",
    LC_ALL: "C",
    TZ: "UTC",
    TMPDIR: "/elsewhere",
    OPENTALON_GRPC_MAX_MSG_BYTES: "7",
    OPENAI_API_KEY: "sk-1",
    DATABASE_URL: "postgres://",
    NODE_OPTIONS: "--inspect",
    LD_PRELOAD: "/evil.so",
    LCX: "no",
    MY_LANG: "no",
  };
  expect(toChildEnvironment({ host, added: {}, temporaryFolder })).toEqual({
    PATH: `/bin:${dirname(process.execPath)}`,
    HOME: "/home/o",
    LANG: "C",
    LC_ALL: "C",
    TZ: "UTC",
    TMPDIR: temporaryFolder,
    OPENTALON_GRPC_MAX_MSG_BYTES: "7",
  });
});

test("what the configuration adds wins, secrets included", () => {
  const added = { TOKEN: createSecret("a long secret"), HOME: "/h" };
  expect(toChildEnvironment({ host: { HOME: "/home/o" }, added, temporaryFolder })).toMatchObject({
    TOKEN: "a long secret",
    HOME: "/h",
  });
});

test("without a PATH the usual folders are searched", () => {
  expect(toChildEnvironment({ host: {}, added: {}, temporaryFolder })["PATH"]).toMatch(
    /^\/usr\/local\/bin:/,
  );
});
