import { type HttpAnswer, type HttpRoute, toJsonAnswer } from "../base/http-route.ts";
import type { Delivery, DeliveryState, Outbox } from "../store/ports.ts";

export interface OutboxRoutesOptions {
  readonly outbox: Pick<Outbox, "list" | "retry" | "drop">;
  /** Sends it now; absent where no program runs: it goes out with the next start then. */
  readonly deliver?: ((delivery: Delivery) => void) | undefined;
}

const states: readonly DeliveryState[] = [
  "waiting",
  "sending",
  "delivered",
  "failed",
  "unknown",
  "dropped",
];
const openStates = "waiting,sending,failed,unknown";
const maxListed = 1_000;

/** What the operator of this machine may do about replies on their way. */
export function toOutboxRoutes({ outbox, deliver }: OutboxRoutesOptions): readonly HttpRoute[] {
  return [
    {
      method: "GET",
      path: "/outbox",
      authentication: "door",
      handle: async ({ query }) => {
        const asked = (query("state") ?? openStates).split(",").map((word) => word.trim());
        const wanted = states.filter((state) => asked.includes(state));
        const unknown = asked.filter((word) => !states.includes(word as DeliveryState));
        if (unknown.length > 0) {
          return toJsonAnswer(400, {
            error: `there is no state "${unknown.join(", ")}"; there are ${states.join(", ")}`,
          });
        }
        const limit = Number(query("limit") ?? maxListed);
        const count = Number.isSafeInteger(limit) && limit > 0 ? Math.min(limit, maxListed) : 1;
        const deliveries = await outbox.list(wanted, count);
        const hasText = query("text") === "1";
        return toJsonAnswer(200, {
          deliveries: deliveries.map((delivery) => toView(delivery, hasText)),
        });
      },
    },
    {
      method: "POST",
      path: "/outbox/:id/resend",
      authentication: "door",
      handle: async ({ parameters }) => {
        const delivery = await outbox.retry(parameters["id"] ?? "");
        if (delivery === undefined) return refuse(parameters["id"], "failed or unknown");
        deliver?.(delivery);
        return toJsonAnswer(200, {
          delivery: toView(delivery, false),
          sends_now: deliver !== undefined,
        });
      },
    },
    {
      method: "POST",
      path: "/outbox/:id/drop",
      authentication: "door",
      handle: async ({ parameters }) => {
        const id = parameters["id"] ?? "";
        if (await outbox.drop(id)) return toJsonAnswer(200, { id });
        return refuse(id, "waiting, failed or unknown");
      },
    },
  ];
}

function refuse(id: string | undefined, allowed: string): HttpAnswer {
  return toJsonAnswer(404, {
    error: `there is no reply ${id ?? ""} that is ${allowed}; \`opentalon outbox list\` shows them`,
  });
}

function toView(delivery: Delivery, hasText: boolean) {
  const { id, turnId, message, state, attempts, partsSent, dueAtMs, problem } = delivery;
  return {
    id,
    state,
    channel: message.channel,
    conversation: message.conversationId,
    thread: message.threadId,
    in_reply_to: message.metadata["in_reply_to"] ?? "",
    trace: turnId,
    attempts,
    parts_sent: partsSent,
    due: new Date(dueAtMs).toISOString(),
    problem,
    ...(hasText ? { text: message.content } : {}),
  };
}
