import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { openProgramChannel } from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import { createRecordingHost } from "../../../packages/opentalon/src/channels/testing/recording-host.ts";
import { bot, startHomeserverStub } from "./testing/homeserver-stub.ts";

const patient = { timeout: 60_000 };
const mebibyte = 1_048_576;

it(
  "hands over a file of any size, or a word of it, and what comes after it",
  async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using opened = await openProgramChannel({
      program: join(import.meta.dirname, "main.ts"),
      config: { homeserver: homeserver.url, access_token: bot.token },
    });
    const host = createRecordingHost();
    await opened.channel.start(host);
    await vi.waitFor(() => expect(homeserver.calls(/\/sync$/).length).toBeGreaterThan(1), patient);
    for (const size of [30 * mebibyte, 32 * mebibyte]) {
      const url = homeserver.addMedia(Buffer.alloc(size), "video/mp4");
      homeserver.say(room, `${size}.mp4`, { msgtype: "m.video", url, info: {} });
    }
    homeserver.say(room, "and this");
    await vi.waitFor(() => expect(host.contents()).toContain("and this"), patient);
    expect(host.messages.map(({ content, files }) => [content, files[0]?.data.byteLength])).toEqual(
      [
        ["", 30 * mebibyte],
        [`[file ${32 * mebibyte}.mp4: larger than 30 MiB]`, undefined],
        ["and this", undefined],
      ],
    );
    expect(opened.pids()).toHaveLength(1);
  },
  patient.timeout,
);
