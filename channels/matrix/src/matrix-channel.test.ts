import { expect, it, vi } from "vitest";
import { startHomeserverStub } from "./testing/homeserver-stub.ts";
import { openMatrix } from "./testing/open-matrix.ts";

it("brings a message of a direct chat in, and its answer back", async () => {
  await using homeserver = await startHomeserverStub();
  const room = homeserver.openDirectChat();
  homeserver.say(room, "from before");
  await using matrix = await openMatrix({ homeserver });
  await vi.waitFor(() => expect(homeserver.calls(/sync$/).length).toBe(2));
  homeserver.say(room, "hello");
  await vi.waitFor(() => expect(matrix.contents()).toEqual(["hello"]));
  await matrix.send({ conversationId: room, content: "**hi**" });
  expect(homeserver.texts()).toEqual(["**hi**"]);
});
