import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, Metadata, type MethodDefinition } from "@grpc/grpc-js";
import { parseHandshake, pluginMessages, pluginServiceMethods } from "@opentalon/protocol";
import { bridgeCommand } from "./start-mcp-bridge.ts";

/** The bridge without a host, called by the words of the protocol. */
export interface LoneBridge extends AsyncDisposable {
  /** `persons`: values of the header Authorization of the person who calls, by the name of the server they are for. */
  readonly call: (
    action: string,
    persons: Readonly<Record<string, string>>,
  ) => Promise<pluginMessages.ToolResultResponse>;
}

export async function startBridgeAlone(
  config: Readonly<Record<string, unknown>>,
): Promise<LoneBridge> {
  const folder = mkdtempSync(join(tmpdir(), "opentalon-mcp-"));
  const [program = "", ...rest] = bridgeCommand;
  const child = spawn(program, rest, {
    cwd: folder,
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const { address } = parseHandshake(line.toString().trim());
  const client = new Client(`unix:${address}`, credentials.createInsecure());
  const ask = <Request, Response>(
    { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
    request: Request,
  ): Promise<Response> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        {},
        (error, response) =>
          error === null && response !== undefined
            ? resolve(response)
            : reject(error ?? new Error("no response")),
      );
    });
  const configJson = JSON.stringify(config);
  await ask(
    pluginServiceMethods.init,
    create(pluginMessages.PluginInitRequestSchema, { configJson }),
  );
  await ask(pluginServiceMethods.capabilities, create(EmptySchema));
  return {
    call: (action, persons) =>
      ask(
        pluginServiceMethods.execute,
        create(pluginMessages.ToolCallRequestSchema, {
          id: "c",
          plugin: "mcp",
          action,
          credentialHeaders: Object.fromEntries(
            Object.entries(persons).map(([server, value]) => [
              server,
              create(pluginMessages.CredentialHeaderSchema, { header: "Authorization", value }),
            ]),
          ),
        }),
      ),
    [Symbol.asyncDispose]: async () => {
      client.close();
      child.kill("SIGINT");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
