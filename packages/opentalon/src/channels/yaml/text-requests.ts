import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { FileAttachment } from "../../domain/message.ts";
import { toPlainText } from "../format/format-text.ts";
import { DeliveryError } from "../delivery-error.ts";
import type { ChannelDefinition, RequestTemplate } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import { type CallLimits, type HttpResult, parseAnswer, RefusedError } from "./http-call.ts";
import { type ScopedMessage, toMessageLookup } from "./message-scope.ts";
import type { SentMemory } from "./sent-memory.ts";
import type { SessionValues } from "./session-values.ts";
import type { Scope } from "./template.ts";

/** The requests of a definition that carry text, formatted or, where the platform cannot read that, plain. */
export interface TextRequests {
  /** Posts a message, with buttons where it asks something; resolves to its id, `""` when the platform does not tell. */
  readonly post: (message: ScopedMessage) => Promise<string>;
  readonly edit: (
    message: ScopedMessage,
    id: string,
    limits?: Partial<CallLimits>,
  ) => Promise<void>;
  readonly call: (
    request: RequestTemplate,
    message: ScopedMessage,
    more?: TextCallOptions,
  ) => Promise<HttpResult>;
  /** Notes that a message is ours; its id. */
  readonly remember: (message: ScopedMessage, result: HttpResult) => string;
}

export interface TextCallOptions extends Partial<CallLimits> {
  /** `{{msg.message_id}}`. */
  readonly id?: string;
  readonly scope?: Scope;
  readonly file?: FileAttachment;
}

export interface TextRequestsOptions {
  readonly definition: ChannelDefinition;
  readonly values: SessionValues;
  readonly sent: SentMemory;
  readonly log: Log;
}

export function createTextRequests(options: TextRequestsOptions): TextRequests {
  const { definition, values, sent, log } = options;
  const { send, update, confirm, storeId, format, plainTextWhen } = definition.outbound;
  const { responseFormat } = definition.capabilities;

  const isUnreadable = (error: unknown): boolean =>
    plainTextWhen !== "" &&
    error instanceof RefusedError &&
    error.message.toLowerCase().includes(plainTextWhen.toLowerCase());

  const call: TextRequests["call"] = async (
    request,
    message,
    { id = "", scope = {}, ...more } = {},
  ) => {
    const make = (said: ScopedMessage): Promise<HttpResult> =>
      values.call(request, { ...scope, msg: toMessageLookup(said, id) }, more);
    try {
      return await make({ ...message, format });
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      const problem = toMessage(error);
      log.warn({ problem }, "the platform could not read a text's formatting; it goes out plain");
      return make({ ...message, content: toPlainText(message.content, responseFormat) });
    }
  };

  const remember: TextRequests["remember"] = (message, result) => {
    const id = storeId === "" ? "" : toText(findField(parseAnswer(result), storeId));
    if (id !== "") sent.add(message.conversationId, message.threadId, id);
    return id;
  };

  const postWith = async (
    request: RequestTemplate | undefined,
    message: ScopedMessage,
  ): Promise<string> => {
    if (request === undefined) {
      const problem = "the definition has no outbound.send: this channel only listens";
      throw new DeliveryError(problem, { outcome: "not-delivered" });
    }
    return remember(message, await call(request, message));
  };

  return {
    call,
    remember,
    post: async (message) => {
      const isQuestion = message.metadata["type"] === "confirmation";
      if (isQuestion && confirm !== undefined) {
        try {
          return await postWith(confirm, message);
        } catch (error) {
          if (!isPlainRefusal(error)) throw error;
          // Too long for buttons: the words alone can be answered with words.
          log.warn({ problem: toMessage(error) }, "a question could not be asked with buttons");
        }
      }
      return postWith(send, message);
    },
    edit: async (message, id, limits) => {
      if (update !== undefined) await call(update, message, { ...limits, id });
    },
  };
}

/** The platform will not take it, now or later. */
export function isPlainRefusal(error: unknown): boolean {
  if (!(error instanceof RefusedError) || error.retryAfterMs !== undefined) return false;
  return error.status < 500 && ![401, 408, 429].includes(error.status);
}
