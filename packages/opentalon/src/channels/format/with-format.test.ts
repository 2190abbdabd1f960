import { expect, it } from "vitest";
import { openFakeChannel } from "../testing/open-fake-channel.ts";
import { createRecordingHost } from "../testing/recording-host.ts";
import { withFormat } from "./with-format.ts";

it("knows of a channel with a format what that tells only once it runs", async () => {
  await using opened = await openFakeChannel({ fake: { knowsRepeats: true } });
  const channel = withFormat(opened.channel);
  expect(channel.knowsRepeats).toBe(false);
  await channel.start(createRecordingHost());
  expect(channel.knowsRepeats).toBe(true);
  expect(channel.capabilities().responseFormat).toBe("markdown");
});
