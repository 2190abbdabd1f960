import type { Clock } from "../../base/clock.ts";
import { AuthError } from "../../base/errors.ts";
import type { OAuthClient } from "./oauth-client.ts";
import type { Grant } from "./oauth-options.ts";
import type { SignInNotice } from "./sign-in-notice.ts";

export interface DeviceSignIn {
  /** Of the provider. */
  readonly name: string;
  readonly client: OAuthClient;
  readonly clock: Clock;
  readonly announce: (notice: SignInNotice) => void;
  readonly signal: AbortSignal;
}

/** What the standard adds to the interval for each `slow_down`, and after a request that got no answer. */
const slowDownMs = 5_000;

/**
 * Signs in from a machine without a browser: a person enters a code elsewhere while we ask whether they have, as often as
 * the server allows and until the code expires.
 * @throws AuthError
 */
export async function signInWithDevice(options: DeviceSignIn): Promise<Grant> {
  const { name, client, clock, announce, signal } = options;
  const { deviceCode, lifetimeMs, ...start } = await client.startDevice(signal);
  const untilMs = clock.now() + lifetimeMs;
  const { userCode: code, url, completeUrl } = start;
  announce({ kind: "device", code, url, completeUrl, lifetimeMs });
  let { intervalMs } = start;
  for (;;) {
    await clock.sleep(Math.min(intervalMs, untilMs - clock.now()), signal);
    signal.throwIfAborted();
    if (clock.now() >= untilMs) break;
    const answer = await client.pollDevice(deviceCode, signal);
    if (answer.kind === "granted") return answer.grant;
    if (answer.kind !== "pending") intervalMs += slowDownMs;
  }
  throw new AuthError("AUTH_EXPIRED", `provider ${name}: nobody entered the code in time`);
}
