import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { probeOllama } from "./ollama-probe.ts";

describe("probing for Ollama", () => {
  let resources = new AsyncDisposableStack();
  afterEach(async () => {
    await resources.disposeAsync();
    resources = new AsyncDisposableStack();
  });

  const serve = async (answer: RequestListener): Promise<string> => {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    resources.defer(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  it("gives the names of the models, in the server's order", async () => {
    const models = [{ name: "llama3.2:latest" }, { name: "qwen3:8b" }, { noName: true }, null];
    const baseUrl = await serve((request, response) => {
      response.end(request.url === "/api/tags" ? JSON.stringify({ models }) : "{}");
    });
    expect(await probeOllama({ baseUrl: `${baseUrl}/`, timeoutMs: 5_000 })).toEqual([
      "llama3.2:latest",
      "qwen3:8b",
    ]);
  });

  it.each([
    ["nonsense", "<html>"],
    ["something else", '{"models":17}'],
    ["nothing", ""],
    ["far too much", "x".repeat(2 * 1024 * 1024)],
  ])("gives nothing when the server answers %s", async (_name, body) => {
    const baseUrl = await serve((_request, response) => response.end(body));
    expect(await probeOllama({ baseUrl, timeoutMs: 5_000 })).toEqual([]);
  });

  it("gives nothing when the server refuses", async () => {
    const baseUrl = await serve((_request, response) =>
      response.writeHead(500).end('{"models":[{"name":"x"}]}'),
    );
    expect(await probeOllama({ baseUrl, timeoutMs: 5_000 })).toEqual([]);
  });

  it("gives nothing when nobody answers, in time or at all", async () => {
    const silent = await serve(() => undefined);
    expect(await probeOllama({ baseUrl: silent, timeoutMs: 20 })).toEqual([]);
    expect(await probeOllama({ baseUrl: "http://127.0.0.1:1" })).toEqual([]);
    expect(await probeOllama({ baseUrl: "not an address" })).toEqual([]);
  });
});
