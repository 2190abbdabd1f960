import type { ChannelTool } from "../../domain/channel.ts";
import type { LinearRegex } from "./linear-regex.ts";
import type { Template } from "./template.ts";

/** A channel as its YAML file describes it, checked and with all templates parsed. */
export interface ChannelDefinition {
  /** Absolute path of the file. */
  readonly file: string;
  /** The kind of platform: `slack`, `telegram`, … */
  readonly id: string;
  readonly displayName: string;
  readonly capabilities: DefinedCapabilities;
  readonly requiredEnv: readonly string[];
  /** Keys of `config` it cannot do without. */
  readonly requiredConfig: readonly string[];
  /** What `config` holds where the entry says nothing; may take it from `env`. */
  readonly configDefaults: Readonly<Record<string, Template>>;
  /** Hosts requests may go to beside those the file names; see `createOriginGuard`. */
  readonly allowedHosts: readonly Template[];
  readonly init: readonly InitStep[];
  readonly connection: Connection | undefined;
  readonly inbound: InboundRules;
  readonly outbound: OutboundRules;
  readonly onReceive: readonly RequestTemplate[];
  readonly onResponse: readonly RequestTemplate[];
  readonly tools: readonly ChannelTool[];
  /** Every request of the file. */
  readonly requests: readonly RequestTemplate[];
  /** Names of the environment the file asks for. */
  readonly environmentNames: readonly string[];
}

export interface DefinedCapabilities {
  readonly threads: boolean;
  readonly files: boolean;
  readonly reactions: boolean;
  readonly edits: boolean;
  readonly maxMessageLength: number;
  readonly responseFormat: string;
  readonly responseFormatPrompt: string;
}

/** An HTTP request with placeholders; values are escaped by where they stand, see `renderRequest`. */
export interface RequestTemplate {
  /** Where it stands in the file, for messages: `outbound.send`. */
  readonly place: string;
  readonly method: string;
  readonly url: Template;
  readonly headers: readonly { readonly name: string; readonly value: Template }[];
  readonly body: Template | undefined;
  /** Parts of a form, in place of `body`. */
  readonly multipart: readonly PartTemplate[] | undefined;
  /** The bytes of the file at hand are the body. */
  readonly isFileBody: boolean;
  /** Empty members of a JSON body are left out at every depth, not only at the top. */
  readonly omitsEmptyDeep: boolean;
  /** It is only made when this is not empty. */
  readonly when: Template | undefined;
}

/** A part of a `multipart/form-data` body; one without a value is left out. */
export interface PartTemplate {
  readonly name: string;
  readonly content:
    | { readonly kind: "text"; readonly value: Template }
    /** The file at hand, with its name. */
    | { readonly kind: "file"; readonly mimeType: Template | undefined };
}

export interface InitStep {
  readonly name: string;
  readonly request: RequestTemplate;
  /** Key in `self` by path in the response. */
  readonly store: Readonly<Record<string, string>>;
}

export interface Connection {
  readonly url: Template;
  readonly reconnects: boolean;
  readonly backoffInitialMs: number;
  readonly backoffMaxMs: number;
  readonly reInit: readonly string[];
  /** A connection on which nothing arrived for that long, not even the answer to a ping, is closed. */
  readonly idleTimeoutMs: number;
}

export interface InboundRules {
  readonly webhook: WebhookRules | undefined;
  readonly polling: PollingRules | undefined;
  readonly ack: { readonly when: string; readonly send: Template } | undefined;
  /** The first that leads to something counts; the whole frame when there is none. */
  readonly eventPaths: readonly string[];
  readonly eventTypes: readonly string[];
  readonly alwaysProcessWhen: Condition | undefined;
  readonly processWhen: readonly Condition[];
  readonly skip: readonly Condition[];
  readonly dispatch: DispatchRules | undefined;
  /** In the order of their names. */
  readonly enrich: readonly EnrichStep[];
  readonly mapping: Mapping;
  /** Metadata that is kept for every conversation, for messages to it that come without. */
  readonly remember: readonly string[];
  readonly media: readonly MediaRule[];
  readonly transforms: readonly Transform[];
  readonly dedup: { readonly key: Template; readonly ttlMs: number } | undefined;
}

/** What a field of an event has to be; all that is given must hold. */
export interface Condition {
  readonly field: string;
  readonly equals?: Template | undefined;
  readonly contains?: Template | undefined;
  readonly notEmpty?: boolean | undefined;
  readonly oneOf?: readonly Template[] | undefined;
  readonly matches?: LinearRegex | undefined;
  /** Values for which it does not hold after all. */
  readonly except: readonly Template[];
  /** The field names a thread the bot has written in. */
  readonly ownThread?: boolean | undefined;
  /** The field names a message the bot has written. */
  readonly ownMessage?: boolean | undefined;
}

export interface WebhookRules {
  readonly path: Template;
  readonly port: Template | undefined;
  readonly jwt:
    | { readonly oidcEndpoint: Template; readonly audience: Template; readonly issuer: Template }
    | undefined;
  readonly secret: { readonly header: string; readonly value: Template } | undefined;
  readonly signature: { readonly scheme: SignatureScheme; readonly secret: Template } | undefined;
  readonly verify: VerifyRules | undefined;
  readonly responseCode: number;
}

export type SignatureScheme = "github" | "standard_webhooks" | "slack";

export const signatureSchemes: readonly SignatureScheme[] = [
  "github",
  "standard_webhooks",
  "slack",
];

/** How a platform makes sure that the address is ours before it sends anything. */
export type VerifyRules =
  | {
      readonly kind: "query";
      readonly token: { readonly name: string; readonly value: Template };
      readonly challenge: string;
    }
  | { readonly kind: "event"; readonly when: Condition; readonly challenge: string };

export interface PollingRules {
  readonly request: RequestTemplate;
  readonly intervalMs: number;
  readonly resultPath: string;
  readonly cursorField: string;
}

export interface DispatchRules {
  readonly when: readonly Condition[];
  readonly skip: readonly Condition[];
  readonly call: RequestTemplate;
}

export interface EnrichStep {
  readonly name: string;
  readonly request: RequestTemplate;
  readonly extract: Readonly<Record<string, string>>;
  readonly cache: { readonly key: Template; readonly ttlMs: number } | undefined;
}

/** Where a part of a message comes from: the first of the paths that leads to something, or a template. */
export interface Source {
  readonly paths: readonly string[];
  readonly template: Template | undefined;
  /** It is empty unless this holds. */
  readonly when: Condition | undefined;
  /** Only where this holds the paths behind the first one count. */
  readonly fallbackWhen: Condition | undefined;
  /** What stands for a value that was found; others stay as they are. */
  readonly values: Readonly<Record<string, string>>;
}

/** A value of the metadata: a source, or `"true"` where a condition holds. */
export type MetadataSource =
  | { readonly kind: "source"; readonly source: Source }
  | { readonly kind: "condition"; readonly condition: Condition; readonly value: Template };

export interface Mapping {
  readonly conversationId: Source;
  readonly senderId: Source;
  readonly senderName: Source;
  readonly content: Source;
  readonly threadId: Source;
  readonly messageId: Source;
  readonly timestamp: Source;
  readonly metadata: Readonly<Record<string, MetadataSource>>;
  /** A top-level list of files in the event itself; empty when there is none. */
  readonly files: string;
}

export interface MediaRule {
  readonly when: string;
  /** A list whose members are `item`, one file each. */
  readonly each: string;
  readonly description: Template | undefined;
  readonly resolve:
    | { readonly mimeType: Template; readonly name: Template; readonly steps: readonly MediaStep[] }
    | undefined;
}

/** With `store` a step reads JSON into `resolve`; without, it loads the file. */
export interface MediaStep {
  readonly request: RequestTemplate;
  readonly store: Readonly<Record<string, string>> | undefined;
}

export type Transform =
  | { readonly kind: "trim" }
  | { readonly kind: "replace"; readonly pattern: Template; readonly replacement: Template }
  | { readonly kind: "replace-regex"; readonly pattern: Template; readonly replacement: Template };

export interface OutboundRules {
  /** Characters; 0 when the file does not say. */
  readonly chunkLength: number;
  readonly send: RequestTemplate | undefined;
  readonly update: RequestTemplate | undefined;
  /** For questions with buttons, in place of `send`. */
  readonly confirm: RequestTemplate | undefined;
  readonly typing: TypingRules | undefined;
  readonly streaming: StreamingRules;
  /** What `{{msg.format}}` says of a text that is formatted. */
  readonly format: string;
  /** Words of a refusal after which a text is sent once more as plain text; empty for none. */
  readonly plainTextWhen: string;
  /** How files go out; the first rule counts that takes the file. `undefined` when `send` carries them or nothing does. */
  readonly files: readonly FileRule[] | undefined;
  /** Path of the new message's id in the answer to `send`. */
  readonly storeId: string;
}

export interface TypingRules {
  readonly request: RequestTemplate;
  readonly intervalMs: number;
  /** Takes the sign back when the turn has ended. */
  readonly stop: RequestTemplate | undefined;
}

/** How often an answer that is still being written is shown anew. */
export interface StreamingRules {
  /** Least time between two edits in one conversation. */
  readonly intervalMs: number;
  /** The same where `is_group` is said of the message. */
  readonly groupIntervalMs: number;
  /** Most edits of all conversations together; 0 is no limit. */
  readonly perMinute: number;
}

export interface FileRule {
  /** `image/png`, `image/*`; any when there are none. */
  readonly types: readonly string[];
  /** 0 is no limit. */
  readonly maxBytes: number;
  /** The text of a message goes out with its file when it has at most that many characters; 0 is never. */
  readonly captionLength: number;
  /** Only the last one shows anything to people. */
  readonly steps: readonly FileStep[];
}

export interface FileStep {
  readonly request: RequestTemplate;
  /** Key in `resolve` by path in the answer. */
  readonly store: Readonly<Record<string, string>>;
}
