/** A plugin that asks for actions of others while it runs its own, written by hand for the tests of the testing kit. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { pluginMessages as messages, pluginServiceMethods } from "@opentalon/protocol";

type Stream = grpc.ServerDuplexStream<messages.HostMessage, messages.PluginMessage>;

const server = new grpc.Server();
server.addService(pluginServiceMethods, {
  init: (_call: unknown, answer: grpc.sendUnaryData<unknown>) => answer(null, create(EmptySchema)),
  capabilities: (_call: unknown, answer: grpc.sendUnaryData<unknown>) =>
    answer(
      null,
      create(messages.PluginCapabilitiesSchema, {
        name: "asks",
        supportsCallbacks: true,
        actions: [{ name: "both", description: "Asks two others" }],
      }),
    ),
  executeBidi: (stream: Stream) => {
    let callId = "";
    const answers = new Map<string, string>();
    stream.on("error", () => {});
    stream.on("data", ({ payload }: messages.HostMessage) => {
      if (payload.case === "call") {
        callId = payload.value.id;
        for (const id of ["first", "second"]) {
          const value = { id, plugin: "other", action: id, args: { said: id } };
          stream.write(
            create(messages.PluginMessageSchema, { payload: { case: "callbackRequest", value } }),
          );
        }
      }
      if (payload.case !== "callbackResponse") return;
      const { id, content, error, structuredContent } = payload.value;
      answers.set(id, `${content}${structuredContent}${error}`);
      if (answers.size < 2) return;
      const both = `${answers.get("first")} | ${answers.get("second")}`;
      const value = { callId, content: both };
      stream.write(create(messages.PluginMessageSchema, { payload: { case: "result", value } }));
      stream.end();
    });
  },
});

const folder = mkdtempSync(join(tmpdir(), "opentalon-plugin-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(0));
const path = join(folder, "plugin.sock");
server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), () =>
  console.log(`1|unix|${path}`),
);
