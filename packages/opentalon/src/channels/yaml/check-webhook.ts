import { createHmac } from "node:crypto";
import { isEqualText } from "../../base/equal-text.ts";
import type { HttpRequest } from "../../base/http-route.ts";
import type { CallerCheck } from "./caller-check.ts";
import type { SignatureScheme, WebhookRules } from "./definition.ts";
import { renderText, type Scope } from "./template.ts";
import type { VerifyToken } from "./verify-token.ts";

const toleranceMs = 5 * 60_000;

/** All checks the definition asks for must pass; without any, the door must know the caller. */
export async function checkCaller(
  request: HttpRequest,
  rules: WebhookRules,
  {
    scope,
    verifyToken,
    nowMs,
  }: { scope: Scope; verifyToken: VerifyToken | undefined; nowMs: number },
): Promise<CallerCheck> {
  const { jwt, secret, signature } = rules;
  if (jwt === undefined && secret === undefined && signature === undefined) {
    return request.isTrusted
      ? { kind: "genuine", claims: {} }
      : { kind: "stranger", problem: "this channel has no secret and the caller is unknown" };
  }
  if (secret !== undefined) {
    const expected = renderText(secret.value, scope);
    const given = request.header(secret.header);
    if (expected === "" || given === undefined || !isEqualText(given, expected)) {
      return { kind: "stranger", problem: `the header ${secret.header} is missing or wrong` };
    }
  }
  if (signature !== undefined) {
    const key = renderText(signature.secret, scope);
    const problem =
      key === ""
        ? "there is no secret to check with"
        : findSignatureProblem(signature.scheme, request, key, nowMs);
    if (problem !== undefined) return { kind: "stranger", problem };
  }
  if (jwt === undefined || verifyToken === undefined) return { kind: "genuine", claims: {} };
  return verifyToken(request.header("authorization"));
}

function findSignatureProblem(
  scheme: SignatureScheme,
  request: HttpRequest,
  key: string,
  nowMs: number,
): string | undefined {
  const { header, body } = request;
  switch (scheme) {
    case "github": {
      const given = header("x-hub-signature-256") ?? "";
      const expected = `sha256=${createHmac("sha256", key).update(body).digest("hex")}`;
      return isEqualText(given.trim().toLowerCase(), expected)
        ? undefined
        : wrong("X-Hub-Signature-256");
    }
    case "slack": {
      const timestamp = header("x-slack-request-timestamp") ?? "";
      if (!isRecent(timestamp, nowMs)) return outOfTime("X-Slack-Request-Timestamp");
      const hmac = createHmac("sha256", key).update(`v0:${timestamp}:`).update(body);
      const given = header("x-slack-signature") ?? "";
      return isEqualText(given, `v0=${hmac.digest("hex")}`)
        ? undefined
        : wrong("X-Slack-Signature");
    }
    case "standard_webhooks": {
      const id = header("webhook-id") ?? "";
      const timestamp = header("webhook-timestamp") ?? "";
      if (!isRecent(timestamp, nowMs)) return outOfTime("webhook-timestamp");
      const bytes = Buffer.from(key.replace(/^whsec_/, ""), "base64");
      if (bytes.length === 0) return "there is no secret to check with";
      const hmac = createHmac("sha256", bytes).update(`${id}.${timestamp}.`).update(body);
      const expected = `v1,${hmac.digest("base64")}`;
      const given = (header("webhook-signature") ?? "").split(" ").slice(0, 20);
      // Every one is compared, so that time tells nothing.
      const fits = given.map((each) => isEqualText(each, expected));
      return id !== "" && fits.includes(true) ? undefined : wrong("webhook-signature");
    }
  }
}

function isRecent(timestamp: string, nowMs: number): boolean {
  return /^\d{1,12}$/.test(timestamp) && Math.abs(Number(timestamp) * 1_000 - nowMs) <= toleranceMs;
}

function wrong(name: string): string {
  return `${name} does not fit the body and the secret`;
}

function outOfTime(name: string): string {
  return `${name} must be the current time in unix seconds`;
}
