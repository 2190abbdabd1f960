import { isLoopbackUrl } from "../base/loopback-url.ts";
import type { Config } from "./config-schema.ts";
import { type ConfigProblem, toKeyPath } from "./problems.ts";

/** What is missing for a sign-in, and addresses where somebody could listen. */
export function findOAuthProblems(
  { models: { providers } }: Config,
  lineOf: (key: string) => number,
): readonly ConfigProblem[] {
  return Object.entries(providers).flatMap(([name, { oauth: signIn, unconfigured }]) => {
    if (signIn === undefined || unconfigured !== undefined) return [];
    const { clientId, flow, issuer, tokenUrl, authorizationUrl, deviceUrl } = signIn;
    const found: [key: string, message: string][] = [];
    if (clientId === "")
      found.push([
        "client_id",
        "Signing in needs the client_id the service knows this program by.",
      ]);
    if (issuer === undefined && tokenUrl === undefined)
      found.push(["token_url", "Signing in needs a token_url, or an issuer that names it."]);
    const canDevice = deviceUrl !== undefined && flow !== "browser";
    const canBrowser = authorizationUrl !== undefined && flow !== "device";
    if (issuer === undefined && !canDevice && !canBrowser) {
      const key = flow === "device" ? "device_url" : "authorization_url";
      const needed = flow === undefined ? "a device_url or an authorization_url" : `a ${key}`;
      found.push([key, `Signing in needs ${needed}, or an issuer that names it.`]);
    }
    const addresses = Object.entries({
      issuer,
      token_url: tokenUrl,
      authorization_url: authorizationUrl,
      device_url: deviceUrl,
    });
    for (const [key, address] of addresses) {
      if (address === undefined || isSafeAddress(address)) continue;
      found.push([key, "Expected an https address, or http on this machine itself (127.0.0.1)."]);
    }
    return found.map(([key, message]) => {
      const path = toKeyPath(["models", "providers", name, "oauth", key]);
      return { line: lineOf(path), key: path, message };
    });
  });
}

/** Whether nobody on the way can read what is sent there. */
function isSafeAddress(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol } = new URL(address);
  return protocol === "https:" || (protocol === "http:" && isLoopbackUrl(address));
}
