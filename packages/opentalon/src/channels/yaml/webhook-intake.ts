import { isEqualText } from "../../base/equal-text.ts";
import type { Clock } from "../../base/clock.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  type HttpRoute,
  toJsonAnswer,
} from "../../base/http-route.ts";
import type { Log } from "../../base/log.ts";
import { parsePlainJson } from "../../base/plain-json.ts";
import type { CallerCheck } from "./caller-check.ts";
import { checkCaller } from "./check-webhook.ts";
import type { VerifyRules, WebhookRules } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import { renderText, type Scope } from "./template.ts";
import type { EventIntake } from "./take-event.ts";
import type { VerifyToken } from "./verify-token.ts";

export interface WebhookIntakeOptions {
  readonly rules: WebhookRules;
  /** As the definition and the entry's `config` say, checked. */
  readonly path: string;
  readonly scope: Scope;
  readonly verifyToken: VerifyToken | undefined;
  readonly intake: EventIntake;
  /** Whether messages are taken in. */
  readonly isOpen: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

const maxBodyBytes = 1_048_576;
const maxChallengeLength = 1_024;

/** The address a platform posts its events to. It answers once everything is on disk, or says to come again. */
export function createWebhookRoute(options: WebhookIntakeOptions): HttpRoute {
  const { rules, path, scope, verifyToken, intake, isOpen, clock, log } = options;
  const { verify, responseCode } = rules;
  const allowed = verify?.kind === "query" ? "GET, POST" : "POST";

  const take = async (request: HttpRequest): Promise<HttpAnswer> => {
    if (request.body.byteLength > maxBodyBytes) {
      return toJsonAnswer(413, { error: `the body is larger than ${maxBodyBytes} bytes` });
    }
    const check = await checkCaller(request, rules, { scope, verifyToken, nowMs: clock.now() });
    if (check.kind === "stranger") return toJsonAnswer(401, { error: check.problem });
    if (check.kind === "undecided") {
      log.error({ problem: check.problem }, "a caller could not be checked and was sent away");
      return toTryAgain("callers cannot be checked right now", 30_000);
    }
    let frame: unknown;
    try {
      frame = parseBody(request);
    } catch {
      return toJsonAnswer(400, { error: "the body is no JSON" });
    }
    const mismatch = findServiceProblem(check, frame);
    if (mismatch !== undefined) return toJsonAnswer(401, { error: mismatch });
    const challenge = readChallenge(verify, frame, scope);
    if (challenge !== undefined) return toTextAnswer(challenge);
    if (!isOpen()) return toTryAgain("the channel takes no messages right now", 5_000);
    const outcome = await intake.take(frame);
    if (outcome.kind === "refused") return toTryAgain(outcome.reason, outcome.retryAfterMs);
    return responseCode === 204
      ? { status: 204, contentType: "application/json", body: "" }
      : toJsonAnswer(responseCode, {});
  };

  return {
    method: "*",
    path,
    authentication: "own",
    handle: async (request) => {
      if (request.method === "POST") return take(request);
      if (request.method === "GET" && verify?.kind === "query") {
        return answerQuestion(request, verify, scope);
      }
      return toJsonAnswer(405, { error: `this address takes ${allowed}` }, { Allow: allowed });
    },
  };
}

/** JSON, or a form whose field `payload` holds it, as some platforms send clicks. */
function parseBody({ body, header }: HttpRequest): unknown {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  if (!/^application\/x-www-form-urlencoded\b/i.test(header("content-type") ?? "")) {
    return parsePlainJson(text);
  }
  const form = new URLSearchParams(text);
  const payload = form.get("payload");
  return payload === null ? Object.fromEntries(form) : parsePlainJson(payload);
}

/** A token that names the address answers go to vouches for no other one. */
function findServiceProblem(
  check: CallerCheck & { kind: "genuine" },
  frame: unknown,
): string | undefined {
  const vouched = check.claims["serviceurl"] ?? check.claims["serviceUrl"];
  const asked = findField(frame, "serviceUrl");
  if (typeof vouched !== "string" || asked === undefined) return undefined;
  const trim = (text: string): string => text.replace(/\/+$/, "").toLowerCase();
  return trim(vouched) === trim(toText(asked)) ? undefined : "the token is for another serviceUrl";
}

function answerQuestion(
  { query }: HttpRequest,
  { token, challenge }: VerifyRules & { kind: "query" },
  scope: Scope,
): HttpAnswer {
  const expected = renderText(token.value, scope);
  const given = query(token.name) ?? "";
  if (expected === "" || !isEqualText(given, expected)) {
    return toJsonAnswer(403, { error: `${token.name} is wrong` });
  }
  return toTextAnswer(query(challenge) ?? "");
}

function readChallenge(
  verify: VerifyRules | undefined,
  frame: unknown,
  scope: Scope,
): string | undefined {
  if (verify?.kind !== "event") return undefined;
  const { field, equals } = verify.when;
  const wanted = equals === undefined ? "" : renderText(equals, scope);
  if (wanted === "" || toText(findField(frame, field)) !== wanted) return undefined;
  return toText(findField(frame, verify.challenge));
}

/** Plain text that no browser takes for a page. */
function toTextAnswer(text: string): HttpAnswer {
  return {
    status: 200,
    contentType: "text/plain; charset=utf-8",
    headers: { "X-Content-Type-Options": "nosniff" },
    body: text.slice(0, maxChallengeLength),
  };
}

function toTryAgain(error: string, retryAfterMs: number): HttpAnswer {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  return toJsonAnswer(503, { error }, { "Retry-After": String(seconds) });
}
