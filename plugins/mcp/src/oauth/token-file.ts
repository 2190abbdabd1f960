import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type {
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from "@modelcontextprotocol/client";
import { isObject } from "../inline-references.ts";

/** What is kept of a sign-in to one server. Secret. */
export interface SignInState {
  readonly tokens?: StoredOAuthTokens | undefined;
  /** When the access token ends, in milliseconds; absent when the server did not say. */
  readonly expiresAtMs?: number | undefined;
  /** How the authorization server knows us, when we registered ourselves. */
  readonly client?: StoredOAuthClientInformation | undefined;
  readonly discovery?: OAuthDiscoveryState | undefined;
  /** The address registered for the way back. */
  readonly redirectUrl?: string | undefined;
}

export interface TokenFile {
  readonly read: () => SignInState;
  /** Replaces the members given. @throws as the file system does. */
  readonly change: (changes: SignInState) => void;
}

/**
 * Keeps the sign-in to one server in a file only this user can read. What was kept for another address than `serverUrl`
 * counts as nothing, so that a changed configuration never sends a token elsewhere.
 */
export function createTokenFile(path: string, serverUrl: URL): TokenFile {
  const server = serverUrl.origin + serverUrl.pathname;
  let state = load(path, server);
  return {
    read: () => state,
    change: (changes) => {
      state = { ...state, ...changes };
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const draft = `${path}.new`;
      rmSync(draft, { force: true });
      writeFileSync(draft, JSON.stringify({ server, ...state }), { mode: 0o600, flag: "wx" });
      chmodSync(draft, 0o600);
      renameSync(draft, path);
    },
  };
}

function load(path: string, server: string): SignInState {
  try {
    const kept: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (!isObject(kept) || kept["server"] !== server) return {};
    const { server: _, ...state } = kept;
    return state;
  } catch {
    return {};
  }
}
