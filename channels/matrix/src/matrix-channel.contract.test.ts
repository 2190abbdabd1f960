import { describeChannelContract } from "../../../packages/opentalon/src/channels/channel.contract.ts";
import { openProgramChannel } from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import { eventually } from "./testing/eventually.ts";
import { bot, startHomeserverStub } from "./testing/homeserver-stub.ts";
import { matrixCommand } from "./testing/matrix-program.ts";

describeChannelContract("matrix", async () => {
  const homeserver = await startHomeserverStub();
  const room = homeserver.openDirectChat();
  const opened = await openProgramChannel({
    command: matrixCommand,
    config: { homeserver: homeserver.url, access_token: bot.token },
  });
  const { channel } = opened;
  const isRefusal = (text: string): boolean => text.startsWith("This message was not taken");
  return {
    // The contract also answers a message that may not have come yet, in a conversation of that name.
    channel: {
      ...channel,
      send: (message, deliveryId) => {
        const conversationId = message.conversationId === "c" ? room : message.conversationId;
        return channel.send({ ...message, conversationId }, deliveryId);
      },
    },
    say: async (content) => {
      // What was said before it listened is not answered.
      await eventually(() => {
        if (homeserver.calls(/\/sync$/).length < 2) throw new Error("it does not listen yet");
      });
      homeserver.say(room, content);
    },
    readReplies: () => homeserver.texts().filter((text) => !isRefusal(text)),
    sawRefusal: () => homeserver.texts().some(isRefusal),
    isReleased: () => homeserver.openConnections() === 0,
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]();
      await homeserver[Symbol.asyncDispose]();
    },
  };
});
