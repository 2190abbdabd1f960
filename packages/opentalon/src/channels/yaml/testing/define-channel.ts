import { createManualClock, type ManualClock } from "../../../base/clock.ts";
import { createSilentLog } from "../../../base/create-log.ts";
import type { HttpRequest } from "../../../base/http-route.ts";
import {
  createRecordingHost,
  type RecordingHost,
  rememberIdentities,
} from "../../testing/recording-host.ts";
import { readDefinition } from "../read-definition.ts";
import { createVolatileMemory } from "./volatile-memory.ts";
import { createYamlChannel, type YamlChannel, type YamlChannelOptions } from "../yaml-channel.ts";

export interface DefinedChannel extends AsyncDisposable {
  readonly channel: YamlChannel;
  readonly host: RecordingHost;
  readonly clock: ManualClock;
  /** Hands an event to the webhook as if it had come over HTTP; the status and body of the answer. */
  readonly post: (
    body: unknown,
    more?: Partial<PostedCall>,
  ) => Promise<{ status: number; body: string }>;
}

export interface PostedCall {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly isTrusted: boolean;
}

/** A channel out of the text of a definition, with an inbox that knows identities. */
export function defineChannel(
  yaml: string,
  more: Partial<YamlChannelOptions> = {},
): DefinedChannel {
  const { definition } = readDefinition("/test/channel.yaml", yaml);
  const clock = createManualClock();
  const host = createRecordingHost();
  host.answerWith(rememberIdentities());
  const channel = createYamlChannel({
    name: "test",
    definition: { ...definition, tools: [] },
    config: {},
    environment: {},
    memory: createVolatileMemory(),
    doorChecksCallers: true,
    clock,
    log: createSilentLog(),
    ...more,
  });
  return {
    channel,
    host,
    clock,
    post: async (body, { method = "POST", headers = {}, query = {}, isTrusted = true } = {}) => {
      const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
      const request: HttpRequest = {
        method,
        path: "/",
        target: "/",
        parameters: {},
        query: (name) => query[name],
        header: (name) => headers[name],
        headers,
        body: bytes,
        signal: new AbortController().signal,
        isTrusted,
      };
      const answer = await channel.routes?.[0]?.handle(request);
      return {
        status: answer?.status ?? 0,
        body: typeof answer?.body === "string" ? answer.body : "",
      };
    },
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
}
