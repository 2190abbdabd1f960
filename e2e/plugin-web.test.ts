import { expect, it } from "vitest";
import { findFreePort } from "../packages/opentalon/src/base/testing/find-free-port.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch, fakePlugin } from "./support/scratch.ts";

const token = "token-of-the-door";

it("requests below a plugin's name reach its own web server, for callers the door lets in, where it is switched on", async () => {
  using scratch = createScratch();
  await using models = await createModelServer();
  const web = async (name: string) => ({
    ...fakePlugin({ name, web: "given-port" }),
    http_port: await findFreePort(),
  });
  const configPath = scratch.writeConfig(models.url, {
    plugins: { shown: { ...(await web("shown")), expose_http: true }, hidden: await web("hidden") },
    server: { enabled: true, addr: "127.0.0.1:0", token },
  });
  await using core = startCore({ configPath });
  const url = `http://${await core.door()}`;
  const ask = (path: string, headers: Readonly<Record<string, string>>): Promise<Response> =>
    fetch(`${url}${path}`, { headers });
  const authorization = `Bearer ${token}`;

  expect((await ask("/shown/a?b=1", {})).status).toBe(401);
  const response = await ask("/shown/a?b=1", { authorization, "x-colour": "red" });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-security-policy")).toMatch(/^sandbox/);
  const seen = (await response.json()) as { url: string; headers: Record<string, string> };
  expect(seen).toMatchObject({ url: "/a?b=1", headers: { "x-colour": "red" } });
  // What opens the door is not the plugin's business.
  expect(JSON.stringify(seen)).not.toContain(token);
  expect((await ask("/hidden/a", { authorization })).status).toBe(404);
});
