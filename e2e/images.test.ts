import { describe, expect, it } from "vitest";
import {
  createModelServer,
  type ModelServer,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch, toLocalProvider, webhookChannel } from "./support/scratch.ts";
import { createWebhookPeer, type PostedFile, type WebhookPeer } from "./support/webhook-peer.ts";

const patient = { timeout: 60_000 };

/** One transparent dot. */
const dot =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const png: PostedFile = { name: "dot.png", mime_type: "image/png", data: dot };
const image = { type: "image_url", image_url: { url: `data:image/png;base64,${dot}` } };
const line = '[file "dot.png" (image/png, 70 bytes) is attached; this model cannot read it]';

/** Entries of a configuration whose first model sees and whose second one, on another server, does not. */
const toModels = (seeing: ModelServer, blind: ModelServer): Readonly<Record<string, unknown>> => ({
  models: {
    providers: {
      local: {
        ...toLocalProvider(seeing.url),
        models: [{ id: "seeing", features: ["tools"], input: ["text", "image"] }],
      },
      other: {
        ...toLocalProvider(blind.url),
        models: [{ id: "blind", features: ["tools"], input: ["text"] }],
      },
    },
  },
  routing: { primary: "local/seeing", fallbacks: ["other/blind"] },
});

/** What the person said, as the model was last told it. */
const readLast = ({ requests }: ModelServer): readonly unknown[] =>
  (requests.at(-1)?.body.messages ?? [])
    .filter(({ role }) => role === "user")
    .map(({ content }) => content);

const answered = async (peer: WebhookPeer, count: number): Promise<void> => {
  await expect.poll(() => peer.arrived.length, patient).toBe(count);
};

describe("an image that a person sends", () => {
  it("reaches the model, stays in the conversation and survives a restart; a model without eyes is told", async () => {
    using scratch = createScratch();
    let door = "";
    await using peer = await createWebhookPeer({ channel: "web", door: () => door });
    await using seeing = await createModelServer();
    await using blind = await createModelServer();
    const configPath = scratch.writeConfig(seeing.url, {
      ...webhookChannel(peer.url),
      ...toModels(seeing, blind),
    });
    const say = (id: string, content: string, files?: readonly PostedFile[]): Promise<number> =>
      peer.post({ id, conversation: "room", content, ...(files === undefined ? {} : { files }) });
    const look = [image, { type: "text", text: "what is this" }];

    {
      await using core = startCore({ configPath });
      door = await core.door();
      expect(await say("1", "what is this", [png])).toBe(202);
      await answered(peer, 1);
      expect(peer.arrived[0]?.content).toBe("answer: what is this");
      expect(readLast(seeing)).toEqual([look]);

      expect(await say("2", "which colour has it")).toBe(202);
      await answered(peer, 2);
      expect(readLast(seeing)).toEqual([look, "which colour has it"]);
      core.signal("SIGTERM");
      expect(await core.exited).toBe(0);
    }

    await using core = startCore({ configPath });
    door = await core.door();
    // No words at all.
    expect(await say("3", "", [png])).toBe(202);
    await answered(peer, 3);
    expect(readLast(seeing)).toEqual([look, "which colour has it", [image]]);

    seeing.setScript({ kind: "error", status: 503, body: { error: { message: "overloaded" } } });
    expect(await say("4", "go on")).toBe(202);
    await answered(peer, 4);
    expect(peer.arrived[3]?.content).toBe("answer: go on");
    expect(readLast(blind)).toEqual([
      `${line}\n\nwhat is this`,
      "which colour has it",
      line,
      "go on",
    ]);
    expect(JSON.stringify(core.log)).not.toContain(dot);
  });
});
