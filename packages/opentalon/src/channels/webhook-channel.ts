import type { Clock } from "../base/clock.ts";
import { ChannelError, toMessage } from "../base/errors.ts";
import { type HttpAnswer, type HttpRequest, toJsonAnswer } from "../base/http-route.ts";
import type { Log } from "../base/log.ts";
import { type Channel, type ChannelHost, plainCapabilities } from "../domain/channel.ts";
import {
  type InboundDocument,
  parseInboundDocument,
  parseJsonDocument,
  toOutboundDocument,
} from "./message-document.ts";
import { type SignatureClaims, createSignatureClaims } from "./signature-claims.ts";
import { createJsonPoster } from "./post-json.ts";
import { misconfigured, readSecret, readSetting } from "./read-setting.ts";
import { toChannelKind } from "./to-channel-kind.ts";
import type { WebhookInlet } from "./webhook-inlet.ts";
import { createWebhookSigner, type WebhookSigner } from "./webhook-signature.ts";

export interface WebhookChannelOptions {
  /** Instance name: the key under `channels:`. */
  readonly name: string;
  /** Where replies are posted. */
  readonly url: URL;
  /** The entry's `config`: `secret` (or `hmac_secret`), `require_timestamp`, `sign_timestamp`, `knows_repeats`, `kind`, `max_message_length`, `response_format`, `response_format_prompt`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly inlet: WebhookInlet;
  /** Whether the HTTP door knows its callers by other means than a signature (see `HttpRequest.isTrusted`). */
  readonly doorChecksCallers: boolean;
  readonly sendTimeoutMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * A platform that posts messages to our HTTP door and takes replies by POST. With a secret both directions carry an
 * HMAC of the body; without one the door must know its callers.
 * @throws ChannelError CHANNEL_MISCONFIGURED when neither is the case, or a setting has the wrong form.
 */
export function createWebhookChannel(options: WebhookChannelOptions): Channel {
  const {
    name,
    url,
    config,
    inlet,
    doorChecksCallers,
    sendTimeoutMs = 30_000,
    clock,
    log,
  } = options;
  const kind = readSetting(config, "kind", "string") ?? "webhook";
  const capabilities = {
    ...plainCapabilities,
    threads: true,
    files: true,
    maxMessageLength: readSetting(config, "max_message_length", "number") ?? 0,
    responseFormat: readSetting(config, "response_format", "string") ?? "",
    responseFormatPrompt: readSetting(config, "response_format_prompt", "string") ?? "",
  };
  const signer = createSigner(options);
  const requiresTimestamp = readSetting(config, "require_timestamp", "boolean") ?? false;
  const signsTimestamp = readSetting(config, "sign_timestamp", "boolean") ?? false;
  if (signer === undefined) {
    if (requiresTimestamp || signsTimestamp) {
      const key = requiresTimestamp ? "require_timestamp" : "sign_timestamp";
      throw misconfigured(
        `channel ${name}: config.${key} needs config.secret, which signs the time`,
      );
    }
    if (!doorChecksCallers) {
      throw misconfigured(
        `channel ${name} has no secret and the HTTP door is open to other machines: set config.secret`,
      );
    }
    log.warn(
      { channel: name },
      "a webhook channel has no secret: whoever reaches the HTTP door can speak as anybody; set config.secret",
    );
  }
  const poster = createJsonPoster({ url, timeoutMs: sendTimeoutMs, clock });
  const claims = createSignatureClaims(clock);
  let host: ChannelHost | undefined;

  const receive = async (request: HttpRequest): Promise<HttpAnswer> => {
    if (host === undefined) return toRefusal("the channel takes no messages right now", 5_000);
    const stranger = findStranger(request, signer, requiresTimestamp, clock.now());
    if (stranger !== undefined) return toJsonAnswer(401, { error: stranger });
    const contentType = request.header("content-type") ?? "";
    if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType)) {
      return toJsonAnswer(415, { error: "send the message as application/json" });
    }
    if (!/^(?:identity)?$/i.test(request.header("content-encoding") ?? "")) {
      return toJsonAnswer(415, { error: "send the message without content encoding" });
    }
    let document: InboundDocument;
    try {
      document = parseInboundDocument(parseJsonDocument(request.body));
    } catch (error) {
      if (error instanceof ChannelError) return toJsonAnswer(400, { error: toMessage(error) });
      throw error;
    }
    const isSigned = signer !== undefined;
    const platformMessageId = findIdentity(document, request, isSigned);
    if (platformMessageId === "") return isSigned ? needsSignedIdentity : needsIdentity;
    const problem = isSigned && document.id === "" ? findClaimProblem(request, claims) : undefined;
    if (problem !== undefined) return problem;
    const { conversationId, threadId, senderId, senderName, content, files, metadata } = document;
    const outcome = await host.accept({
      channelKind: toChannelKind(document.kind, kind),
      platformMessageId,
      conversationId,
      threadId,
      senderId,
      senderName,
      content,
      files,
      metadata,
      sentAtMs: document.sentAtMs ?? clock.now(),
    });
    if (outcome.kind !== "refused") return outcome.kind === "accepted" ? accepted : duplicate;
    // A refusal that does not say when to come back is about the message, not about us.
    if (outcome.retryAfterMs <= 0) return toJsonAnswer(400, { error: outcome.reason });
    return toRefusal(outcome.reason, outcome.retryAfterMs);
  };
  const disconnect = inlet.connect(name, receive);

  return {
    name,
    kind,
    capabilities: () => capabilities,
    knowsRepeats: readSetting(config, "knows_repeats", "boolean") ?? false,
    start: async (channelHost) => {
      host = channelHost;
    },
    stopIntake: async () => {
      host = undefined;
    },
    send: (message, deliveryId) => {
      const body = Buffer.from(toOutboundDocument(message), "utf8");
      const timestamp = signsTimestamp ? String(Math.floor(clock.now() / 1_000)) : undefined;
      return poster.post(body, {
        "Idempotency-Key": deliveryId,
        ...(timestamp === undefined ? {} : { "X-OpenTalon-Timestamp": timestamp }),
        ...(signer === undefined ? {} : { "X-OpenTalon-Signature": signer.sign(body, timestamp) }),
      });
    },
    [Symbol.asyncDispose]: async () => {
      host = undefined;
      disconnect();
      poster.close();
    },
  };
}

const accepted = toJsonAnswer(202, { status: "accepted" });
const duplicate = toJsonAnswer(202, { status: "duplicate" });
const needsIdentity = toJsonAnswer(400, {
  error:
    "the message needs an identity: `id`, the header Idempotency-Key, or `metadata.message_id`",
});
const needsSignedIdentity = toJsonAnswer(400, {
  error:
    "the message needs an identity: `id` or `metadata.message_id` in the signed body; the header Idempotency-Key is not signed and counts only together with X-OpenTalon-Timestamp",
});

function toRefusal(error: string, retryAfterMs: number): HttpAnswer {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  return toJsonAnswer(503, { error }, { "Retry-After": String(seconds) });
}

function findStranger(
  { body, header, isTrusted }: HttpRequest,
  signer: WebhookSigner | undefined,
  requiresTimestamp: boolean,
  nowMs: number,
): string | undefined {
  if (signer === undefined) {
    return isTrusted
      ? undefined
      : "this channel has no secret and the caller is unknown; set config.secret and sign";
  }
  const signature = header("x-opentalon-signature");
  const timestamp = header("x-opentalon-timestamp");
  if (requiresTimestamp && timestamp === undefined) {
    return "send `X-OpenTalon-Timestamp` with the time in unix seconds, and sign `<timestamp>.<body>`";
  }
  return signer.findProblem({ body, signature, timestamp }, nowMs);
}

/** The header is not signed: with a signature it counts only when that is valid for minutes, see `SignatureClaims`. */
function findIdentity(
  { id, metadata }: InboundDocument,
  { header }: HttpRequest,
  isSigned: boolean,
): string {
  const isBound = !isSigned || header("x-opentalon-timestamp") !== undefined;
  const named = isBound ? header("idempotency-key") : undefined;
  const candidates = [id, named, metadata["message_id"]];
  return candidates.find((candidate) => candidate !== undefined && candidate !== "") ?? "";
}

function findClaimProblem(
  { header }: HttpRequest,
  claims: SignatureClaims,
): HttpAnswer | undefined {
  const [name, timestamp] = [header("idempotency-key"), header("x-opentalon-timestamp")];
  if (name === undefined || name === "" || timestamp === undefined) return undefined;
  const claim = claims.claim(header("x-opentalon-signature") ?? "", timestamp, name);
  switch (claim.kind) {
    case "granted":
      return undefined;
    case "taken":
      return takenName;
    case "unknown":
      return toRefusal("sign the message again, with the time of now", claim.retryAfterMs);
  }
}

const takenName = toJsonAnswer(409, {
  error: "this signed request came under another Idempotency-Key before; sign it again",
});

function createSigner({ name, config, log }: WebhookChannelOptions): WebhookSigner | undefined {
  const secret = readSecret(name, config, "secret", "hmac_secret");
  if (secret === undefined) return undefined;
  if (secret.reveal().length < 16) {
    log.warn("the secret of a webhook channel is shorter than 16 characters");
  }
  return createWebhookSigner(secret);
}
