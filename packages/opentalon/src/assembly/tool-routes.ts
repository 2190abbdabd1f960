import { type HttpAnswer, type HttpRoute, toJsonAnswer } from "../base/http-route.ts";
import type { ToolDesk } from "../domain/tool-desk.ts";

/** Of a call; plugins take hardly more. */
const maxCallBytes = 4_194_304;
const maxActorLength = 200;

/** What the control socket offers about tools: to look at them, and to call one in somebody's name. */
export function toToolRoutes(desk: ToolDesk): readonly HttpRoute[] {
  return [
    {
      method: "GET",
      path: "/tools",
      authentication: "door",
      handle: async () => toJsonAnswer(200, { tools: await desk.list() }),
    },
    {
      method: "POST",
      path: "/tools/call",
      authentication: "door",
      maxBodyBytes: maxCallBytes,
      handle: async ({ body, signal }) => {
        const call = parseCall(body);
        if (call === undefined) return refused;
        const { content, isError } = await desk.call({ ...call, signal });
        return toJsonAnswer(200, { content, is_error: isError });
      },
    },
  ];
}

const refused: HttpAnswer = toJsonAnswer(400, {
  error: 'a call is a JSON object: {"actor": "mcp:local", "name": "<tool>", "arguments": {}}',
});

function parseCall(body: Uint8Array) {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString("utf8"));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { actor, name, arguments: args } = value as Readonly<Record<string, unknown>>;
  const isComplete =
    typeof actor === "string" &&
    actor !== "" &&
    actor.length <= maxActorLength &&
    typeof name === "string" &&
    typeof args === "object" &&
    args !== null &&
    !Array.isArray(args);
  return isComplete
    ? { actor, name, arguments: args as Readonly<Record<string, unknown>> }
    : undefined;
}
