import { ChannelError } from "../../base/errors.ts";
import type { ChannelRoute } from "../../domain/channel.ts";
import type { WebhookRules } from "./definition.ts";
import type { SessionValues } from "./session-values.ts";
import { renderText, type Template } from "./template.ts";
import { createWebhookRoute } from "./webhook-intake.ts";

export interface PlaceOptions extends Omit<
  Parameters<typeof createWebhookRoute>[0],
  "rules" | "path" | "scope"
> {
  readonly name: string;
  readonly values: SessionValues;
  readonly doorChecksCallers: boolean;
}

/**
 * The webhook of a definition at its path and port.
 * @throws ChannelError CHANNEL_MISCONFIGURED when these are none, or when nobody checks who calls.
 */
export function placeWebhook(
  rules: WebhookRules,
  { name, values, doorChecksCallers, ...rest }: PlaceOptions,
): ChannelRoute {
  const { jwt, secret, signature } = rules;
  if (jwt === undefined && secret === undefined && signature === undefined) {
    const problem = `channel ${name}: its http_webhook checks no caller (validate_jwt, secret_header, signature_scheme)`;
    if (!doorChecksCallers) {
      throw misconfigured(`${problem}, and the HTTP door is open to other machines`);
    }
    rest.log.warn(`${problem}: whoever reaches the HTTP door can speak as anybody`);
  }
  for (const [key, template] of [
    ["secret_value", secret?.value],
    ["signature_secret", signature?.secret],
  ] as const) {
    // What `init` is going to store is not there yet.
    if (template === undefined || hasNamespace(template, "self")) continue;
    if (renderText(template, values.scope).trim() === "")
      rest.log.warn(`http_webhook.${key} is empty (${template.text}): nobody is let in`);
  }
  const read = (template: Template): string => renderText(template, values.scope).trim();
  const path = read(rules.path);
  if (!/^\/[\w.~/-]*$/.test(path)) {
    throw misconfigured(
      `channel ${name}: http_webhook.path must begin with / and hold letters, digits and -._~ only`,
    );
  }
  const portText = rules.port === undefined ? "" : read(rules.port);
  if (!/^\d{0,5}$/.test(portText) || Number(portText) > 65_535) {
    throw misconfigured(`channel ${name}: http_webhook.port is no port`);
  }
  const port = portText === "" ? undefined : Number(portText);
  return { ...createWebhookRoute({ ...rest, rules, path, scope: values.scope }), port };
}

function hasNamespace({ parts }: Template, wanted: string): boolean {
  return parts.some((part) => typeof part !== "string" && part.namespace === wanted);
}

function misconfigured(message: string): ChannelError {
  return new ChannelError("CHANNEL_MISCONFIGURED", message);
}
