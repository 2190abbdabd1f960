import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import {
  createFakeMcpDoor,
  type DoorCall,
  type FakeMcpDoor,
  type FakeMcpDoorOptions,
} from "./testing/fake-mcp-door.ts";
import { startBridgeAlone } from "./testing/start-bridge-alone.ts";
import { startPatientMcpBridge, type RunningBridge } from "./testing/start-mcp-bridge.ts";

vi.setConfig({ testTimeout: 60_000 });

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-mcp-"));
  // After all bridges of the test have ended.
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

const startBridge = async (
  servers: readonly Readonly<Record<string, unknown>>[],
): Promise<RunningBridge> => {
  const bridge = await startPatientMcpBridge(folder, servers);
  onTestFinished(() => bridge[Symbol.asyncDispose]());
  return bridge;
};

const toShown = ({ headers }: DoorCall) => [
  headers["x-key"],
  headers["x-person"],
  headers["authorization"],
];

async function openDoor(options: FakeMcpDoorOptions = {}): Promise<FakeMcpDoor> {
  const door = await createFakeMcpDoor(options);
  onTestFinished(() => door[Symbol.asyncDispose]());
  return door;
}

describe("a server at an address", () => {
  test("gets its headers and those of the call, and nobody else does", async () => {
    const door = await openDoor();
    const bridge = await startBridge([
      {
        server: "door",
        url: door.url,
        headers: { "X-Key": "k", Authorization: "Bearer of-all" },
        context_headers: { "X-Person": "entity_id" },
      },
    ]);
    const [tool] = bridge.host.tools();
    expect(tool?.contextArguments).toEqual(["entity_id"]);
    expect(tool?.parameters.map(({ name }) => name)).toEqual(["arg_entity_id"]);
    const who = await bridge.call("door__who", { entity_id: "slack:Zoë", arg_entity_id: "mine" });
    expect(JSON.parse(who.content)).toMatchObject({ params: { arguments: { entity_id: "mine" } } });
    await bridge.call("door__who");
    expect(door.calls.map(toShown)).toEqual([
      ["k", "slack:Zo%C3%AB", "Bearer of-all"],
      ["k", undefined, "Bearer of-all"],
    ]);
  });

  test("gets the person's own credential with the person's call, in place of any other", async () => {
    const door = await openDoor({ auth: "oauth", client: { id: "c", secret: "s" } });
    const oauth = {
      grant: "client_credentials",
      client_id: "c",
      client_secret: "s",
      issuer: door.origin,
    };
    await using bridge = await startBridgeAlone({
      servers: [{ server: "door", url: door.url, oauth }],
      start_wait: "20s",
    });
    expect((await bridge.call("door__who", { door: "Person p" })).error).toBe("");
    expect((await bridge.call("door__who", {})).error).toBe("");
    expect((await bridge.call("door__who", { another: "Person q" })).error).toBe("");
    expect((await bridge.call("door__who", { door: "Stranger" })).error).toContain(
      "does not accept the person's own credential",
    );
    const [first, ...others] = door.calls.map(({ headers }) => headers["authorization"]);
    expect(first).toBe("Person p");
    expect(others).toEqual([expect.stringMatching(/^Bearer /), expect.stringMatching(/^Bearer /)]);
    expect(door.grants).toEqual(["client_credentials"]);
  });

  test("that was started anew is introduced to again within the call", async () => {
    const door = await openDoor();
    const bridge = await startBridge([{ server: "door", url: door.url }]);
    await bridge.call("door__who");
    door.forgetSessions();
    expect((await bridge.call("door__who")).error).toBe("");
    expect(door.calls).toHaveLength(2);
  });

  test("that goes away is said to be away, and is found again", async () => {
    const door = await createFakeMcpDoor();
    const bridge = await startBridge([{ server: "door", url: door.url }]);
    await bridge.call("door__who");
    await door[Symbol.asyncDispose]();
    expect((await bridge.call("door__who")).error).toContain('the server "door"');
    const again = await openDoor({ port: Number(new URL(door.url).port) });
    await expect
      .poll(async () => (await bridge.call("door__who")).error, { timeout: 30_000 })
      .toBe("");
    expect(again.calls).toHaveLength(1);
  });
});

describe("signing in", () => {
  test("happens by itself with credentials of the configuration", async () => {
    const door = await openDoor({ auth: "oauth", client: { id: "c", secret: "s" } });
    const oauth = {
      grant: "client_credentials",
      client_id: "c",
      client_secret: "s",
      issuer: door.origin,
    };
    const bridge = await startBridge([
      { server: "door", url: door.url, oauth, headers: { "x-key": "k" } },
    ]);
    expect((await bridge.call("door__who")).error).toBe("");
    door.revoke();
    expect((await bridge.call("door__who")).error).toBe("");
    expect(door.grants).toEqual(["client_credentials", "client_credentials"]);
    // What is meant for the server goes to no other address, not even for signing in to it.
    expect(new Set(door.keyed)).toEqual(new Set(["/mcp"]));
  });

  test("does not show the credentials to another authorization server", async () => {
    const door = await openDoor({ auth: "oauth", client: { id: "c", secret: "s" } });
    const oauth = {
      grant: "client_credentials",
      client_id: "c",
      client_secret: "s",
      issuer: "https://auth.invalid",
    };
    const bridge = await startBridge([{ server: "door", url: door.url, oauth }]);
    expect(bridge.actions()).toEqual([]);
    expect(door.grants).toEqual([]);
  });

  test("in a browser is done once, kept in a file of the user's alone, and renewed", async () => {
    const door = await openDoor({ auth: "oauth", tokenSeconds: 1 });
    const server = { server: "door", url: door.url, oauth: {} };
    const bridge = await startBridge([server]);
    expect(bridge.actions()).toEqual(["door__authorize"]);
    const asked = await bridge.call("door__authorize");
    const [address = ""] = /http\S+$/.exec(asked.content) ?? [];
    expect(bridge.log()).toContain("open this address in a browser to sign in");
    const wrong = new URL(await door.consent(address));
    wrong.searchParams.set("state", "another");
    expect((await fetch(wrong)).status).toBe(400);
    const back = await fetch(await door.consent(address));
    expect(await back.text()).toContain("You are signed in");
    await expect
      .poll(async () => (await bridge.call("door__who")).error, { timeout: 30_000 })
      .toBe("");
    const file = join(bridge.folder, "oauth", "door.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await bridge.host[Symbol.asyncDispose]();
    const later = await startBridge([server]);
    expect((await later.call("door__who")).error).toBe("");
    expect(new Set(door.grants)).toEqual(new Set(["authorization_code", "refresh_token"]));
  });

  test("can be finished from another machine's browser", async () => {
    const door = await openDoor({ auth: "oauth" });
    const bridge = await startBridge([{ server: "door", url: door.url, oauth: {} }]);
    const [address = ""] = /http\S+$/.exec((await bridge.call("door__authorize")).content) ?? [];
    const callback = await door.consent(address);
    const done = await bridge.call("door__authorize", { callback_url: callback });
    expect(done.content).toBe("Signed in to door.");
    await expect
      .poll(async () => (await bridge.call("door__who")).error, { timeout: 30_000 })
      .toBe("");
  });

  test("is not begun unasked", async () => {
    const door = await openDoor({ auth: "oauth" });
    const bridge = await startBridge([{ server: "door", url: door.url }]);
    expect(bridge.actions()).toEqual(["door__authorize"]);
    expect(bridge.log()).toContain("set `oauth: {}` for this server");
  });
});
