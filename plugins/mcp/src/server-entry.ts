/** One server as the configuration names it. */
export interface ServerEntry {
  /** As configured; for people. */
  readonly name: string;
  /** The name as part of an action's name: letters, digits, `-` and single `_`. */
  readonly slug: string;
  readonly place: ServerPlace;
  /** Whether what it says of its own tools is believed: that one changes nothing. */
  readonly trustHints: boolean;
  /** Whether its instructions go into the system prompt. */
  readonly useInstructions: boolean;
  /** Longest silence in a call; a report of progress starts it anew. */
  readonly timeoutMs: number;
  readonly maxTools: number;
}

export type ServerPlace = HttpPlace | CommandPlace;

export interface HttpPlace {
  readonly kind: "http";
  readonly url: URL;
  /** `auto`: streamable HTTP, and the older SSE when the server refuses that. */
  readonly transport: "auto" | "http" | "sse";
  /** Sent with every request to the server itself. May be secret. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent with each call: header, and the context value that fills it. */
  readonly contextHeaders: Readonly<Record<string, string>>;
  readonly oauth: OAuthSettings;
}

export interface OAuthSettings {
  /** `client-credentials`: the bridge signs in as itself. Otherwise a person agrees once in a browser. */
  readonly grant: "client-credentials" | "authorization-code";
  /** Whether the configuration says anything about it; otherwise the server decides whether it is needed. */
  readonly isConfigured: boolean;
  /** Empty when the bridge has to register itself. */
  readonly clientId: string;
  /** Empty for a public client. Secret. */
  readonly clientSecret: string;
  /** Empty: what the server asks for. */
  readonly scope: string;
  /** The only authorization server the credentials may be shown to; empty when none are configured. */
  readonly issuer: string;
  /** Where the browser comes back to on this machine; 0 takes any. */
  readonly redirectPort: number;
}

export interface CommandPlace {
  readonly kind: "command";
  readonly command: string;
  readonly args: readonly string[];
  /** Its whole environment, beside PATH, HOME and the like. May be secret. */
  readonly env: Readonly<Record<string, string>>;
  /** Empty: a folder of its own. */
  readonly cwd: string;
}
