/**
 * What the author of a tool plugin writes down: the plugin, its actions, their parameters. The types follow the
 * parameters, so `run` knows its arguments.
 */
import type { CallOther, PluginState } from "./define-callbacks.ts";
import { isObjectSchema, readObjectSchema } from "./object-schema.ts";
import type { ObjectSchema, OutputOf } from "./object-schema.ts";
import type { AnswerWeb } from "./serve-web.ts";
import type { Parameter, ParameterType } from "./parameter.ts";

/** One argument of an action. A plain string stands for `{ description, required: true }`. */
export interface ParameterDefinition {
  /** What it means, with units, written for a model. */
  readonly description: string;
  /** `"string"` unless said otherwise. */
  readonly type?: ParameterType;
  /** A call without it is refused before `run`. True unless said otherwise. */
  readonly required?: boolean;
  /** JSON Schema of the value, for models; the SDK checks only `type`. */
  readonly schema?: Readonly<Record<string, unknown>>;
}

export type ParameterDefinitions = Readonly<Record<string, string | ParameterDefinition>>;

interface ValueOf {
  readonly string: string;
  readonly number: number;
  readonly integer: number;
  readonly boolean: boolean;
  readonly object: Readonly<Record<string, unknown>>;
  readonly array: readonly unknown[];
}

type ArgumentOf<Definition> = Definition extends { readonly type: infer Type extends ParameterType }
  ? ValueOf[Type]
  : string;

/** What an action takes: by name, or as one schema of an object. */
export type AnyParameters = ParameterDefinitions | ObjectSchema;

/**
 * The arguments `run` gets. Of definitions: one member for each parameter, `undefined` possible where it is not required.
 * Of a schema: what it gives out once it has checked them, transformed and with its defaults.
 */
export type ArgumentsOf<Parameters extends AnyParameters> = Parameters extends ObjectSchema
  ? OutputOf<Parameters>
  : {
      readonly [Name in keyof Parameters]: Parameters[Name] extends { readonly required: false }
        ? ArgumentOf<Parameters[Name]> | undefined
        : ArgumentOf<Parameters[Name]>;
    };

/** What `run` is told besides its arguments. */
export interface CallContext {
  /** Identifies the call. */
  readonly callId: string;
  /** Aborts when the caller gave up. */
  readonly signal: AbortSignal;
  /** Values of the `contextArguments` of the action, as far as the host knows them. */
  readonly values: Readonly<Record<string, string>>;
  /** Headers that let a request run in the name of the person, by server name. Secret: use them, never show them. */
  readonly credentialHeaders: Readonly<
    Record<string, { readonly header: string; readonly value: string }>
  >;
  /** Has the host run another action; rejects unless the plugin says `callbacks: true`. */
  readonly call: CallOther;
  /** What the plugin keeps; rejects unless the plugin says `callbacks: true`. */
  readonly state: PluginState;
}

/** An answer: text for the model, or text and the same for programs, which is sent as JSON. */
export type ActionResult = string | { readonly content: string; readonly structured?: unknown };

export interface ActionDefinition<Parameters extends AnyParameters = ParameterDefinitions> {
  /** What it does and when to use it, written for a model. */
  readonly description: string;
  /**
   * What it takes: by name, `{}` for nothing; or the schema of an object, such as `z.object({ … })` of zod, which then also
   * checks the arguments and tells the model what is wrong with them.
   */
  readonly parameters: Parameters;
  /** It changes nothing, so the host may run it a second time after a crash. False unless said otherwise. */
  readonly readOnly?: boolean;
  /** Only people may run it, by a command; it is not offered to models. */
  readonly userOnly?: boolean;
  /** Always offered to the model in full. */
  readonly alwaysInclude?: boolean;
  /** Facts the host shall add: `session_id`, `conversation_id`, `entity_id`, `group_id`, … See `CallContext.values`. */
  readonly contextArguments?: readonly string[];
  /**
   * Does the work. Several calls may be under way at once. What it throws becomes the tool's error: the message, for
   * the model to read, never the stack.
   */
  readonly run: (
    args: ArgumentsOf<Parameters>,
    context: CallContext,
  ) => ActionResult | Promise<ActionResult>;
}

export interface ToolDefinition<Parameters extends Readonly<Record<string, AnyParameters>>> {
  /** Name of the plugin: letters, digits, `_` and `-`. With an action it may have 62 characters. */
  readonly name: string;
  /** What the plugin is for, in one sentence. */
  readonly description: string;
  readonly actions: { readonly [Action in keyof Parameters]: ActionDefinition<Parameters[Action]> };
  /** Its actions use `context.call` or `context.state`. A call of it may take half an hour then. */
  readonly callbacks?: boolean;
  /** Text for the system prompt of every conversation that may use the plugin. */
  readonly systemPromptAddition?: string;
  /**
   * Takes the `config` of the plugin's entry, `{}` when there is none; called before the first action. A throw refuses
   * the configuration: the plugin does not start and the operator reads the message.
   */
  readonly onConfigure?: (config: Readonly<Record<string, unknown>>) => void | Promise<void>;
  /**
   * Answers HTTP requests, where the plugin's entry has `http_port`; with `expose_http` the HTTP door passes those below
   * `/<plugin>/` on, without that prefix. Only of a definition, not of a function that gives one. The port is open to every
   * program on this machine.
   */
  readonly web?: AnswerWeb;
  /** Ends what the plugin started, when it is told to stop; it has three seconds. */
  readonly onStop?: () => void | Promise<void>;
}

/**
 * What a plugin is right now, for one whose actions change while it runs. Asked before each answer about the plugin and
 * before each call; OpenTalon asks anew every now and then (`plugins.tools.refresh_interval`). May have no actions.
 */
export type ToolProvider = () => AnyToolDefinition | Promise<AnyToolDefinition>;

/** A definition whose actions are known only when it runs: arguments come as `Record<string, unknown>`. */
export type AnyToolDefinition = Omit<
  ToolDefinition<Record<string, ParameterDefinitions>>,
  "actions"
> & {
  readonly actions: Readonly<Record<string, AnyActionDefinition>>;
};

export type AnyActionDefinition = Omit<ActionDefinition, "run" | "parameters"> & {
  readonly parameters: AnyParameters;
  /** Reads the arguments in place of `parseArguments`. */
  readonly parse?: (args: Readonly<Record<string, string>>) => Promise<unknown>;
  readonly run: (
    args: Readonly<Record<string, unknown>>,
    context: CallContext,
  ) => ActionResult | Promise<ActionResult>;
};

/** The parameters of an action, complete and in order. */
export function toParameters(definitions: AnyParameters): readonly Parameter[] {
  if (isObjectSchema(definitions)) return readObjectSchema(definitions).parameters;
  return Object.entries(definitions).map(([name, definition]) => {
    const {
      description,
      type = "string",
      required = true,
      schema,
    } = typeof definition === "string" ? { description: definition } : definition;
    return {
      name,
      description,
      type,
      required,
      schema: schema === undefined ? "" : JSON.stringify(schema),
    };
  });
}

/**
 * The definition with every schema read.
 * @throws Error that names the action whose schema cannot be used.
 */
export function withSchemasRead(definition: AnyToolDefinition): AnyToolDefinition {
  const read = ([name, action]: [string, AnyActionDefinition]): [string, AnyActionDefinition] => {
    if (!isObjectSchema(action.parameters)) return [name, action];
    try {
      return [name, { ...action, parse: readObjectSchema(action.parameters).parse }];
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      throw new Error(`the action "${name}" has parameters that cannot be used: ${words}`, {
        cause: error,
      });
    }
  };
  return {
    ...definition,
    actions: Object.fromEntries(Object.entries(definition.actions).map(read)),
  };
}

/**
 * Refuses what no host would take.
 * @throws Error that names the action.
 */
export function checkToolDefinition(definition: AnyToolDefinition): void {
  const names = Object.keys(definition.actions);
  if (names.length === 0)
    throw new Error(`the plugin ${JSON.stringify(definition.name)} has no actions`);
  for (const name of names) {
    const composed = `${definition.name}__${name}`;
    if (/^[a-zA-Z0-9_-]{1,64}$/.test(composed)) continue;
    throw new Error(
      `the action ${JSON.stringify(name)} cannot be called: "${composed}" needs 1 to 64 letters, digits, "_" or "-"`,
    );
  }
}
