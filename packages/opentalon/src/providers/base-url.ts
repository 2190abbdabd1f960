import { ConfigError } from "../base/errors.ts";

/**
 * The address of a model provider. The error does not repeat the text: it may hold a password, or be a key that stands
 * in the wrong place.
 * @throws ConfigError
 */
export function parseBaseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new ConfigError(
      "CONFIG_INVALID",
      "base_url of a model provider has to be an http or https address, like https://models.example:8443/v1.",
    );
  }
  return url;
}

/**
 * The root of an API that an SDK speaks, without slash at its end. SDKs add paths to it and cannot send a password.
 * @throws ConfigError
 */
export function toSdkBaseUrl(text: string): string {
  const url = parseBaseUrl(text);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new ConfigError(
      "CONFIG_INVALID",
      "base_url of a model provider with this api can hold neither a user name, nor a password, nor a query.",
    );
  }
  return url.href.replace(/\/+$/, "");
}
