/** What one server offers, as actions of the plugin. */
import type { AnyActionDefinition, CallContext, ParameterDefinitions } from "@opentalon/plugin-sdk";
import type { Tool } from "@modelcontextprotocol/client";
import type { OwnAction } from "./action-names.ts";
import { toOwnAction, toToolAction } from "./action-names.ts";
import type { LinkCall, ServerLink } from "./server-link.ts";
import { toParameters } from "./to-parameters.ts";
import { toPromptResult, toResourceResult, toToolResult } from "./to-result.ts";

const maxDescriptionLength = 4_000;
const maxListed = 200;
const maxListedLength = 500;

type Actions = Readonly<Record<string, AnyActionDefinition>>;

/** `plugin`: the name of the plugin, which counts for the length of names. */
export function toLinkActions(link: ServerLink, plugin: string): Actions {
  const { entry } = link;
  const offer = link.offer();
  const actions: Record<string, AnyActionDefinition> = {};
  const add = (action: OwnAction, definition: AnyActionDefinition): void => {
    actions[toOwnAction(entry.slug, action)] = definition;
  };
  for (const tool of offer.tools) {
    const name = toToolAction(plugin, entry.slug, tool.name);
    // The first one has the name: a server that offers one twice gains nothing.
    if (!Object.hasOwn(actions, name)) actions[name] = toToolActionDefinition(link, tool);
  }
  if (offer.hasResources) {
    add("list_resources", toListResources(link));
    add("read_resource", toReadResource(link));
  }
  if (offer.hasPrompts) {
    add("list_prompts", toListPrompts(link));
    add("get_prompt", toGetPrompt(link));
  }
  if (canSignIn(link)) add("authorize", toAuthorize(link));
  return actions;
}

function canSignIn({ entry: { place }, offer }: ServerLink): boolean {
  if (place.kind !== "http" || place.oauth.grant === "client-credentials") return false;
  return place.oauth.isConfigured || offer().needsSignIn;
}

function toToolActionDefinition(link: ServerLink, tool: Tool): AnyActionDefinition {
  const { entry } = link;
  const contextArguments = toContextArguments(link);
  const parameters = toParameters(tool.inputSchema, contextArguments);
  const { annotations } = tool;
  const title = tool.title ?? annotations?.title ?? "";
  return {
    description: cut(
      [title, tool.description ?? ""].filter((text) => text !== "").join(": "),
      maxDescriptionLength,
    ),
    parameters: parameters.definitions,
    readOnly: entry.trustHints && annotations?.readOnlyHint === true,
    contextArguments,
    run: async (args, context) =>
      toToolResult(
        await link.callTool(tool, parameters.toArguments(args), toLinkCall(link, context)),
      ),
  };
}

const cursor = {
  description: "Where to go on, as an earlier answer said",
  required: false,
} as const;

function toListResources(link: ServerLink): AnyActionDefinition {
  return toReader(
    link,
    `Lists the resources of the server "${link.entry.name}": addresses that read_resource reads.`,
    { cursor },
    async (args, call) => {
      const page = await link.listResources(toText(args["cursor"]), call);
      return toList(
        page.items.map(({ uri, name, mimeType = "", description = "" }) =>
          [uri, name, mimeType, description].filter((text) => text !== "").join(" | "),
        ),
        page.nextCursor,
      );
    },
  );
}

function toReadResource(link: ServerLink): AnyActionDefinition {
  return toReader(
    link,
    `Reads a resource of the server "${link.entry.name}".`,
    { uri: "Address of the resource, as list_resources gives it" },
    async (args, call) =>
      toResourceResult(await link.readResource(toText(args["uri"]) ?? "", call)),
  );
}

function toListPrompts(link: ServerLink): AnyActionDefinition {
  return toReader(
    link,
    `Lists the prepared prompts of the server "${link.entry.name}" and what they take.`,
    { cursor },
    async (args, call) => {
      const page = await link.listPrompts(toText(args["cursor"]), call);
      return toList(
        page.items.map(({ name, description = "", arguments: taken = [] }) => {
          const words = taken.map((argument) =>
            argument.required === true ? `${argument.name} (required)` : argument.name,
          );
          return [name, description, words.join(", ")].filter((text) => text !== "").join(" | ");
        }),
        page.nextCursor,
      );
    },
  );
}

function toGetPrompt(link: ServerLink): AnyActionDefinition {
  return toReader(
    link,
    `Gives the text of a prepared prompt of the server "${link.entry.name}".`,
    {
      name: "Name of the prompt, as list_prompts gives it",
      arguments: {
        type: "object",
        description: "What the prompt takes, by name",
        required: false,
        schema: { type: "object", additionalProperties: { type: "string" } },
      },
    },
    async (args, call) => {
      const given = (args["arguments"] ?? {}) as Readonly<Record<string, unknown>>;
      const texts = Object.entries(given).map(([name, value]) => [
        name,
        typeof value === "string" ? value : JSON.stringify(value),
      ]);
      const prompt = await link.getPrompt(
        toText(args["name"]) ?? "",
        Object.fromEntries(texts) as Record<string, string>,
        call,
      );
      return toPromptResult(prompt);
    },
  );
}

function toAuthorize({ entry, signIn }: ServerLink): AnyActionDefinition {
  return {
    description: `Signs in to the server "${entry.name}": gives the address to open in a browser. Where the browser runs on another machine, give the address it ended up at.`,
    parameters: {
      callback_url: {
        description: "Address the browser ended up at after signing in",
        required: false,
      },
    },
    userOnly: true,
    run: async (args) => {
      if (signIn === undefined) throw new Error("nobody signs in to a server that is a program");
      const address = toText(args["callback_url"]);
      if (address === undefined || address === "")
        return `Open this address in a browser: ${await signIn.begin()}`;
      await signIn.finish(address);
      return `Signed in to ${entry.name}.`;
    },
  };
}

type Reader = (
  args: Readonly<Record<string, unknown>>,
  call: LinkCall,
) => ReturnType<AnyActionDefinition["run"]>;

/** An action that only looks; by the protocol, not by the server's word. */
function toReader(
  link: ServerLink,
  description: string,
  parameters: ParameterDefinitions,
  read: Reader,
): AnyActionDefinition {
  return {
    description,
    parameters,
    readOnly: true,
    contextArguments: toContextArguments(link),
    run: (args, context) => read(args, toLinkCall(link, context)),
  };
}

function toContextArguments({ entry: { place } }: ServerLink): readonly string[] {
  return place.kind === "http" ? [...new Set(Object.values(place.contextHeaders))] : [];
}

function toLinkCall({ entry }: ServerLink, context: CallContext): LinkCall {
  const { signal, values, credentialHeaders } = context;
  const headers: Record<string, string> = {};
  if (entry.place.kind === "http") {
    for (const [header, value] of Object.entries(entry.place.contextHeaders)) {
      const text = Object.hasOwn(values, value) ? values[value] : undefined;
      if (text !== undefined) headers[header.toLowerCase()] = toHeaderValue(text);
    }
    const credential = [entry.name, entry.slug]
      .map((name) => (Object.hasOwn(credentialHeaders, name) ? credentialHeaders[name] : undefined))
      .find((found) => found !== undefined);
    if (credential !== undefined) headers[credential.header.toLowerCase()] = credential.value;
  }
  return { signal, headers };
}

/** A header takes only printable letters of a small alphabet; others are percent-encoded. */
function toHeaderValue(text: string): string {
  return text.toWellFormed().replaceAll(/[^\x20-\x7e]/gu, encodeURIComponent);
}

function toList(lines: readonly string[], nextCursor: string | undefined): string {
  if (lines.length === 0) return "(there are none)";
  const shown = lines.slice(0, maxListed).map((line) => cut(line, maxListedLength));
  const rest = lines.length - shown.length;
  if (rest > 0) shown.push(`(and ${rest} more)`);
  if (nextCursor !== undefined) shown.push(`(there is more: cursor ${JSON.stringify(nextCursor)})`);
  return shown.join("\n");
}

function toText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`;
}
