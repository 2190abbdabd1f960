import { createHash, createHmac, randomBytes } from "node:crypto";
import { isEqualText } from "../../base/equal-text.ts";
import type { Secret } from "../../base/secret.ts";
import { type ChatMemory, chatNamespace } from "./chat-memory.ts";

/** Proof, kept by a browser, that a conversation is its own. */
export interface ChatSessions {
  /** A session for this conversation, or for a new one. */
  readonly issue: (conversation?: string) => {
    readonly conversation: string;
    readonly session: string;
  };
  /** The conversation a session is for; `undefined` when it is none of ours, too old, or from before the token changed. */
  readonly read: (session: string, nowMs: number) => string | undefined;
}

export interface ChatSessionsOptions {
  readonly channel: string;
  /** What people have to know to get in, where something is asked for. */
  readonly token: Secret | undefined;
  readonly memory: ChatMemory;
  readonly now: () => number;
}

const lifetimeMs = 30 * 24 * 3_600_000;

/** Sessions of one channel, signed with a key that outlasts restarts. */
export async function openChatSessions(options: ChatSessionsOptions): Promise<ChatSessions> {
  const { channel, token, memory, now } = options;
  const keyName = `${channel}:key`;
  const stored = await memory.get(chatNamespace, keyName);
  const key = stored ?? randomBytes(32).toString("hex");
  if (stored === undefined) await memory.set(chatNamespace, keyName, key);
  // The token is part of the key: whoever was let in with an old one has to show the new one.
  const tokenDigest = createHash("sha256")
    .update(token?.reveal() ?? "")
    .digest("hex");
  const sign = (conversation: string, issuedAtMs: string): string =>
    createHmac("sha256", `${key}.${tokenDigest}`)
      .update(`${channel}\n${conversation}\n${issuedAtMs}`)
      .digest("base64url");

  return {
    issue: (known) => {
      const conversation = known ?? randomBytes(16).toString("base64url");
      const issuedAtMs = String(now());
      const session = `${conversation}.${issuedAtMs}.${sign(conversation, issuedAtMs)}`;
      return { conversation, session };
    },
    read: (session, nowMs) => {
      const parts = /^([\w-]{22})\.(\d{1,16})\.([\w-]{43})$/.exec(session);
      const [, conversation = "", issuedAtMs = "", signature = ""] = parts ?? [];
      if (parts === null || !isEqualText(signature, sign(conversation, issuedAtMs)))
        return undefined;
      return nowMs - Number(issuedAtMs) <= lifetimeMs ? conversation : undefined;
    },
  };
}
