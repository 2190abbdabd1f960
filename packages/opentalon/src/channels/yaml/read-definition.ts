import type {
  ChannelDefinition,
  Connection,
  DefinedCapabilities,
  DispatchRules,
  EnrichStep,
  FileRule,
  InboundRules,
  InitStep,
  MediaRule,
  MediaStep,
  OutboundRules,
  RequestTemplate,
  Transform,
} from "./definition.ts";
import { type DefinitionCursor, openDefinition } from "./definition-cursor.ts";
import { findEnvironmentNames, findOddPlaceholders } from "./find-placeholders.ts";
import { readCondition, readRegex } from "./read-condition.ts";
import { readMapping } from "./read-mapping.ts";
import { readRequest, readTexts, type RequestReader } from "./read-request.ts";
import { readWebhookRules } from "./read-webhook-rules.ts";
import { isLiteral, parseTemplate, type Template } from "./template.ts";

const responseFormats = [
  "",
  "text",
  "markdown",
  "slack",
  "html",
  "telegram",
  "teams",
  "whatsapp",
  "discord",
];
export interface ReadDefinition {
  readonly definition: Omit<ChannelDefinition, "tools">;
  /** As it stands in the file; empty when there is none. */
  readonly toolsFile: string;
  /** One line each, with file, line and key. */
  readonly warnings: readonly string[];
}

/**
 * Reads the text of a channel's definition.
 * @throws ChannelError CHANNEL_MISCONFIGURED with file, line and key.
 */
export function readDefinition(file: string, text: string): ReadDefinition {
  const { root, findUnread, warnings } = openDefinition(file, text);
  const requests: RequestTemplate[] = [];
  const readOne: RequestReader = (cursor, method) => {
    const request = readRequest(cursor, method);
    requests.push(request);
    return request;
  };
  for (const key of ["kind", "version"]) root.text(key);

  const init = root.maps("init").map((step, index): InitStep => {
    const name = step.text("name", `step ${index + 1}`);
    return { name, request: readOne(step, "GET"), store: readTexts(step, "store") };
  });
  const definition: Omit<ChannelDefinition, "tools"> = {
    file,
    id: root.required("id"),
    displayName: root.text("name", root.text("id")),
    capabilities: readCapabilities(root),
    requiredEnv: root.texts("required_env"),
    requiredConfig: root.texts("required_config"),
    configDefaults: readTemplates(root, "config_defaults"),
    allowedHosts: root.texts("allowed_hosts").map(parseTemplate),
    init,
    connection: readConnection(root, init),
    inbound: readInbound(root.map("inbound"), readOne),
    outbound: readOutbound(root.map("outbound"), readOne),
    onReceive:
      root
        .map("hooks")
        ?.maps("on_receive")
        .map((hook) => readOne(hook, "POST")) ?? [],
    onResponse:
      root
        .map("hooks")
        ?.maps("on_response")
        .map((hook) => readOne(hook, "POST")) ?? [],
    requests,
    environmentNames: [...new Set([...root.texts("required_env"), ...findEnvironmentNames(text)])],
  };
  const { webhook, polling } = definition.inbound;
  const ways = [webhook, polling, definition.connection].filter((way) => way !== undefined);
  if (ways.length === 0)
    root.fail("inbound", "it needs http_webhook, polling, or a connection beside it");
  if (webhook !== undefined && polling !== undefined) {
    root.fail("inbound", "http_webhook and polling exclude each other");
  }
  const toolsFile = root.text("tools_file");
  return {
    definition,
    toolsFile,
    warnings: [...warnings, ...findUnread(), ...findOddPlaceholders(file, text)],
  };
}

function readCapabilities(root: DefinitionCursor): DefinedCapabilities {
  const cursor = root.map("capabilities");
  const responseFormat = cursor?.text("response_format") ?? "";
  if (!responseFormats.includes(responseFormat)) {
    cursor?.fail("response_format", `it must be one of ${responseFormats.slice(1).join(", ")}`);
  }
  const responseFormatPrompt = cursor?.text("response_format_prompt") ?? "";
  if (Buffer.byteLength(responseFormatPrompt) > 500) {
    cursor?.warn(
      "response_format_prompt",
      "it is longer than 500 bytes and goes into every prompt",
    );
  }
  return {
    threads: cursor?.flag("threads", false) ?? false,
    files: cursor?.flag("files", false) ?? false,
    reactions: cursor?.flag("reactions", false) ?? false,
    edits: cursor?.flag("edits", false) ?? false,
    maxMessageLength: cursor?.whole("max_message_length", 0) ?? 0,
    responseFormat,
    responseFormatPrompt,
  };
}

function readConnection(root: DefinitionCursor, init: readonly InitStep[]): Connection | undefined {
  const cursor = root.map("connection");
  if (cursor === undefined) return undefined;
  cursor.required("url");
  const reconnect = cursor.map("reconnect");
  const reInit = reconnect?.texts("re_init") ?? [];
  for (const name of reInit) {
    if (!init.some((step) => step.name === name)) {
      reconnect?.fail("re_init", `there is no init step named "${name}"`);
    }
  }
  return {
    url: cursor.template("url") ?? parseTemplate(""),
    reconnects: reconnect?.flag("enabled", true) ?? true,
    backoffInitialMs: Math.max(100, reconnect?.duration("backoff_initial", 1_000) ?? 1_000),
    backoffMaxMs: Math.max(100, reconnect?.duration("backoff_max", 30_000) ?? 30_000),
    reInit,
    idleTimeoutMs: Math.max(1_000, cursor.duration("idle_timeout", 60_000)),
  };
}

function readInbound(
  cursor: DefinitionCursor | undefined,
  readRequest: RequestReader,
): InboundRules {
  const polling = cursor?.map("polling");
  const ack = cursor?.map("ack");
  const dedup = cursor?.map("dedup");
  const dedupKey = dedup?.template("key");
  const webhook = readWebhookRules(cursor?.map("http_webhook"));
  const dispatch = readDispatch(cursor?.map("dispatch"), readRequest);
  if (dispatch !== undefined && webhook !== undefined) {
    const isOpen =
      webhook.jwt === undefined && webhook.secret === undefined && webhook.signature === undefined;
    if (isOpen) {
      cursor?.fail(
        "dispatch",
        "strangers could make these calls: give http_webhook validate_jwt, secret_header or signature_scheme",
      );
    }
  }
  const always = cursor?.map("always_process_when");
  return {
    webhook,
    polling: polling && {
      request: readRequest(polling, "GET"),
      intervalMs: polling.duration("interval", 1_000),
      resultPath: polling.text("result_path"),
      cursorField: polling.text("cursor_field"),
    },
    ack: ack && { when: ack.text("when"), send: ack.template("send") ?? parseTemplate("") },
    eventPaths: cursor?.textOrTexts("event_path").filter((path) => path !== "") ?? [],
    eventTypes: cursor?.texts("event_types") ?? [],
    alwaysProcessWhen: always && readCondition(always),
    processWhen: cursor?.maps("process_when").map(readCondition) ?? [],
    skip: cursor?.maps("skip").map(readCondition) ?? [],
    dispatch,
    enrich: readEnrich(cursor?.map("enrich"), readRequest),
    mapping: readMapping(cursor?.map("mapping")),
    remember: cursor?.texts("remember") ?? [],
    media: cursor?.maps("media").map((rule) => readMedia(rule, readRequest)) ?? [],
    transforms: cursor?.maps("transforms").map(readTransform) ?? [],
    dedup:
      dedup === undefined || dedupKey === undefined
        ? undefined
        : { key: dedupKey, ttlMs: dedup.duration("ttl", 600_000) },
  };
}

function readDispatch(
  cursor: DefinitionCursor | undefined,
  readRequest: RequestReader,
): DispatchRules | undefined {
  if (cursor === undefined) return undefined;
  const call = cursor.map("call") ?? cursor.fail("call", "it must be given");
  return {
    when: cursor.maps("when").map(readCondition),
    skip: cursor.maps("skip").map(readCondition),
    call: readRequest(call, "POST"),
  };
}

function readEnrich(
  cursor: DefinitionCursor | undefined,
  readRequest: RequestReader,
): readonly EnrichStep[] {
  const names = cursor?.keys().toSorted() ?? [];
  return names.flatMap((name) => {
    const step = cursor?.map(name);
    if (step === undefined) return [];
    const cache = step.map("cache");
    const key = cache?.template("key");
    return [
      {
        name,
        request: readRequest(step, "POST"),
        extract: readTexts(step, "extract"),
        cache: key && { key, ttlMs: cache?.duration("ttl", 3_600_000) ?? 3_600_000 },
      },
    ];
  });
}

function readMedia(cursor: DefinitionCursor, readRequest: RequestReader): MediaRule {
  const resolve = cursor.map("resolve");
  const steps = resolve?.maps("steps").map((step): MediaStep => {
    const store = step.has("store") ? readTexts(step, "store") : undefined;
    return { request: readRequest(step, "GET"), store };
  });
  return {
    when: cursor.required("when"),
    each: cursor.text("each"),
    description: cursor.template("description"),
    resolve: resolve && {
      mimeType: resolve.template("mime_type") ?? parseTemplate(""),
      name: resolve.template("name") ?? parseTemplate(""),
      steps: steps ?? [],
    },
  };
}

function readTransform(cursor: DefinitionCursor): Transform {
  const type = cursor.required("type");
  if (type === "trim") return { kind: "trim" };
  if (type !== "replace") cursor.fail("type", "it must be replace or trim");
  cursor.required("pattern");
  const pattern = cursor.template("pattern") ?? parseTemplate("");
  const replacement = cursor.template("replacement") ?? parseTemplate("");
  if (!cursor.flag("regex", false)) return { kind: "replace", pattern, replacement };
  if (isLiteral(pattern)) readRegex(cursor, "pattern");
  return { kind: "replace-regex", pattern, replacement };
}

function readOutbound(
  cursor: DefinitionCursor | undefined,
  readRequest: RequestReader,
): OutboundRules {
  const request = (key: string): RequestTemplate | undefined => {
    const inner = cursor?.map(key);
    return inner && readRequest(inner, "POST");
  };
  const typing = cursor?.map("typing");
  const stop = typing?.map("stop");
  const streaming = cursor?.map("streaming");
  const intervalMs = Math.max(800, streaming?.duration("interval", 800) ?? 800);
  return {
    chunkLength: cursor?.map("chunking")?.whole("max_length", 0) ?? 0,
    send: request("send"),
    update: request("update"),
    confirm: request("confirm"),
    typing: typing && {
      request: readRequest(typing, "POST"),
      intervalMs: Math.max(1_000, typing.duration("interval", 4_000)),
      stop: stop && readRequest(stop, "POST"),
    },
    streaming: {
      intervalMs,
      groupIntervalMs: Math.max(
        intervalMs,
        streaming?.duration("group_interval", intervalMs) ?? intervalMs,
      ),
      perMinute: streaming?.whole("per_minute", 0) ?? 0,
    },
    format: cursor?.text("format") ?? "",
    plainTextWhen: cursor?.text("plain_text_when") ?? "",
    files:
      cursor?.has("files") === true
        ? cursor.maps("files").map((rule) => readFileRule(rule, readRequest))
        : undefined,
    storeId: cursor?.text("send_store_id") ?? "",
  };
}

function readFileRule(cursor: DefinitionCursor, readRequest: RequestReader): FileRule {
  const steps = cursor.maps("steps").map((step) => ({
    request: { ...readRequest(step, "POST"), omitsEmptyDeep: true },
    store: readTexts(step, "store"),
  }));
  if (steps.length === 0) cursor.fail("steps", "a file needs at least one request");
  const types = cursor.texts("types").map((type) => type.toLowerCase());
  if (types.some((type) => !/^[\w.+-]+\/(?:\*|[\w.+-]+)$/.test(type)))
    cursor.fail("types", "a type is `image/png` or `image/*`");
  return {
    types,
    maxBytes: cursor.whole("max_bytes", 0),
    captionLength: cursor.whole("caption_length", 0),
    steps,
  };
}

function readTemplates(root: DefinitionCursor, key: string): Readonly<Record<string, Template>> {
  return Object.fromEntries(
    Object.entries(readTexts(root, key)).map(([name, value]) => [name, parseTemplate(value)]),
  );
}
