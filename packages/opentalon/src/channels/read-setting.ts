import { ChannelError } from "../base/errors.ts";
import { createSecret, isSecret, type Secret } from "../base/secret.ts";

type Settings = Readonly<Record<string, unknown>>;

interface SettingTypes {
  readonly string: string;
  readonly number: number;
  readonly boolean: boolean;
}

/**
 * One setting of a channel's `config`; `undefined` when it is not set.
 * @throws ChannelError CHANNEL_MISCONFIGURED when it has another type.
 */
export function readSetting<T extends keyof SettingTypes>(
  config: Settings,
  key: string,
  type: T,
): SettingTypes[T] | undefined {
  const value = config[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== type) throw misconfigured(`config.${key} must be a ${type}`);
  return value as SettingTypes[T];
}

/**
 * A secret under the first of these names that is set. An empty one is an unset variable, not a wish for an open channel.
 * @throws ChannelError CHANNEL_MISCONFIGURED when it is empty or no text.
 */
export function readSecret(
  channel: string,
  config: Settings,
  ...keys: readonly string[]
): Secret | undefined {
  const key = keys.find((name) => (config[name] ?? undefined) !== undefined);
  if (key === undefined) return undefined;
  const value = config[key];
  const secret = typeof value === "string" ? createSecret(value) : value;
  if (!isSecret(secret) || secret.reveal() === "") {
    throw misconfigured(`channel ${channel}: config.${key} must be a text that is not empty`);
  }
  return secret;
}

/** A list of texts; empty when it is not set. */
export function readTexts(config: Settings, key: string): readonly string[] {
  const value = config[key] ?? [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw misconfigured(`config.${key} must be a list of texts`);
}

/** @returns an error for the operator. */
export function misconfigured(message: string): ChannelError {
  return new ChannelError("CHANNEL_MISCONFIGURED", message);
}
