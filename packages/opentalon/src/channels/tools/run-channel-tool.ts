import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import { createSecret, redactSecrets } from "../../base/secret.ts";
import type { ChannelTool } from "../../domain/channel.ts";
import type { Execution, RawToolResult } from "../../domain/plugin.ts";
import type { RequestTemplate } from "../yaml/definition.ts";
import { createHttpCaller } from "../yaml/http-call.ts";
import { renderRequest } from "../yaml/render-request.ts";
import { parseTemplate, type Scope } from "../yaml/template.ts";
import type { ChannelEnvironment } from "./channel-tools.ts";

export interface ToolRun {
  readonly template: ChannelTool;
  readonly environment: ChannelEnvironment;
  readonly execution: Execution;
}

const maxAnswerBytes = 1_048_576;
const longestMs = 30_000;
const credentialName = /TOKEN|SECRET|PASSWORD|PASS|KEY|CREDENTIAL|AUTH/i;

/** Makes the requests of channels' tools, over connections that are kept; redirects are not followed. */
export function createRunningTools(clock: Clock): {
  readonly run: (run: ToolRun) => Promise<RawToolResult>;
  readonly close: () => void;
} {
  const caller = createHttpCaller(clock);
  return {
    run: async ({ template, environment, execution }) => {
      const { arguments: given, signal, timeoutMs } = execution;
      const missing = template.requiredEnvironment.filter(
        (name) => (environment(name) ?? "") === "",
      );
      if (missing.length > 0)
        return refuse(`the operator has to set ${missing.join(" and ")} in the environment first`);
      const scope: Scope = {
        env: (name) => hide(name, environment(name)),
        args: (name) => (Object.hasOwn(given, name) ? given[name] : undefined),
      };
      try {
        const request = renderRequest(toRequest(template), scope);
        if (request.isOriginFromData)
          return refuse("its address names no host; a host cannot be an argument");
        dropEmptyQuery(request.url, template.url);
        const limits = {
          maxBytes: maxAnswerBytes,
          timeoutMs: Math.min(timeoutMs, longestMs),
          signal,
        };
        const { status, body } = await caller.call(request, limits);
        const text = redactSecrets(body.toString("utf8"));
        if (status < 200 || status > 299) return refuse(`HTTP ${status}: ${text}`);
        return { content: text, error: "", structuredContent: "" };
      } catch (error) {
        if (signal.aborted) throw error;
        return refuse(redactSecrets(toMessage(error)));
      }
    },
    close: caller.close,
  };
}

function refuse(error: string): RawToolResult {
  return { content: "", error, structuredContent: "" };
}

/** What looks like a credential never stands in a log or an answer. */
function hide(name: string, value: string | undefined): string | undefined {
  if (value !== undefined && credentialName.test(name)) createSecret(value);
  return value;
}

function toRequest({ action, method, url, headers, body }: ChannelTool): RequestTemplate {
  return {
    place: action,
    method,
    url: parseTemplate(url),
    headers: Object.entries(headers).map(([name, value]) => ({
      name,
      value: parseTemplate(value),
    })),
    body: body === "" ? undefined : parseTemplate(body),
    when: undefined,
    multipart: undefined,
    isFileBody: false,
    omitsEmptyDeep: false,
  };
}

/** An argument that was not given leaves no empty parameter behind. */
function dropEmptyQuery(url: URL, template: string): void {
  for (const [, name = ""] of template.matchAll(/[?&]([^=&#{}]+)=\{\{args\.[^}]*\}\}(?=&|#|$)/g)) {
    if (url.searchParams.get(name) === "") url.searchParams.delete(name);
  }
}
