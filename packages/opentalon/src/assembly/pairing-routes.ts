import { type HttpRequest, type HttpRoute, toJsonAnswer } from "../base/http-route.ts";
import { toActor } from "../domain/actor.ts";
import type { Pairing } from "../inbound/pairing.ts";

/** What the operator of this machine may do about strangers. */
export function toPairingRoutes(pairing: Pairing): readonly HttpRoute[] {
  return [
    {
      method: "GET",
      path: "/pairing",
      authentication: "door",
      handle: async () => {
        const { requests, approved } = await pairing.list();
        return toJsonAnswer(200, {
          requests: requests.map(({ code, senderName, endsAtMs, ...sender }) => ({
            code,
            sender: toActor(sender),
            name: senderName,
            conversation: sender.conversationId,
            ends: new Date(endsAtMs).toISOString(),
          })),
          approved: approved.map(({ senderName, approvedAtMs, by, ...sender }) => ({
            sender: toActor(sender),
            name: senderName,
            since: new Date(approvedAtMs).toISOString(),
            by,
          })),
        });
      },
    },
    {
      method: "POST",
      path: "/pairing/approve",
      authentication: "door",
      handle: async (request) => {
        const outcome = await pairing.approve(readText(request, "code"), { kind: "operator" });
        switch (outcome.kind) {
          case "approved":
            return toJsonAnswer(200, { sender: toActor(outcome.request) });
          case "too-many-wrong":
            return toJsonAnswer(429, { error: "too many wrong codes; try again in ten minutes" });
          case "unknown":
            return toJsonAnswer(404, {
              error: "there is no such code, or it is over; codes are valid for one hour",
            });
        }
      },
    },
    {
      method: "POST",
      path: "/pairing/revoke",
      authentication: "door",
      handle: async (request) => {
        const sender = readText(request, "sender");
        if (await pairing.revoke(sender, { kind: "operator" }))
          return toJsonAnswer(200, { sender });
        return toJsonAnswer(404, {
          error: `${sender} was not approved with a code; who is named in the configuration may talk because of that`,
        });
      },
    },
  ];
}

function readText({ body }: HttpRequest, key: string): string {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
    const text = (value as Readonly<Record<string, unknown>> | null)?.[key];
    return typeof text === "string" ? text : "";
  } catch {
    return "";
  }
}
