import { createServer } from "node:http";
import type { IncomingHttpHeaders, RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import { createSecret } from "../../base/secret.ts";
import { createProbe, toProbeUrl } from "./probe-provider.ts";
import type { Probe } from "./probe-provider.ts";

const signal = new AbortController().signal;

async function listen(handle: RequestListener): Promise<string> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const probeOf = (
  baseUrl: string,
  api: Parameters<typeof toProbeUrl>[0] = "openai-completions",
  clock = createManualClock(),
): Probe => {
  const credentials = [createSecret("sk-probe-0123456789")];
  return createProbe({
    provider: { api, baseUrl, credentials },
    path: "/models",
    timeoutMs: 3_000,
    clock,
  });
};

it.each([
  ["openai-completions", { authorization: "Bearer sk-probe-0123456789" }, "/models"],
  ["openai-responses", { authorization: "Bearer sk-probe-0123456789" }, "/models"],
  [
    "anthropic-messages",
    { "x-api-key": "sk-probe-0123456789", "anthropic-version": "2023-06-01" },
    "/v1/models",
  ],
  ["google-generative-ai", { "x-goog-api-key": "sk-probe-0123456789" }, "/models"],
] as const)("asks a service of %s as it wants to be asked", async (api, headers, path) => {
  const seen: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
  const url = await listen((request, response) => {
    seen.push({ url: request.url, headers: request.headers });
    response.end("{}");
  });
  expect(await probeOf(url, api)(signal)).toBe(true);
  expect(seen).toMatchObject([{ url: path, headers }]);
});

it.each([
  [200, true],
  [302, true],
  [401, true],
  [404, true],
  [405, true],
  [429, true],
  [500, false],
  [503, false],
])("takes status %i for %s", async (status, isReachable) => {
  let requests = 0;
  const url = await listen((_request, response) => {
    requests += 1;
    response.writeHead(status, { location: "/elsewhere" }).end();
  });
  expect(await probeOf(url)(signal)).toBe(isReachable);
  expect(requests).toBe(1);
});

it("takes silence and refused connections for unreachable", async () => {
  const clock = createManualClock();
  const url = await listen(() => clock.advance(3_000));
  expect(await probeOf(url, "openai-completions", clock)(signal)).toBe(false);
  expect(await probeOf("http://127.0.0.1:1")(signal)).toBe(false);
});

it("knows the usual addresses, and keeps query and version", () => {
  expect(toProbeUrl("openai-completions", undefined, "/models").href).toBe(
    "https://api.openai.com/v1/models",
  );
  expect(toProbeUrl("anthropic-messages", undefined, "models").href).toBe(
    "https://api.anthropic.com/v1/models",
  );
  expect(toProbeUrl("google-generative-ai", undefined, "/models").href).toBe(
    "https://generativelanguage.googleapis.com/v1beta/models",
  );
  expect(toProbeUrl("openai-completions", "https://a.example/x/?v=1", "/models").href).toBe(
    "https://a.example/x/models?v=1",
  );
  expect(toProbeUrl("openai-completions", "https://a.example/x", "//evil.example/").host).toBe(
    "a.example",
  );
});
