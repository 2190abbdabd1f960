import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  pluginServiceMethods,
  providerMessages,
  providerServiceMethods,
} from "@opentalon/protocol";
import { detectWire } from "../testing-kit/detect-wire.ts";
import type { Address } from "../testing-kit/grpc-call.ts";
import { callUnary, createGrpcClient } from "../testing-kit/grpc-call.ts";
import { callComplete } from "../testing-kit/provider-call.ts";
import { isUnimplemented } from "../testing-kit/reply.ts";
import type { Facts } from "./bench.ts";
import type { CheckLimits, PluginKind } from "./check-options.ts";
import type { OpenedPlugin, Opening } from "./open-plugin.ts";
import { openPlugin } from "./open-plugin.ts";

export interface ExamineOptions {
  readonly command: string | readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly kind: PluginKind | undefined;
  readonly limits: CheckLimits;
}

export type Examination =
  | { readonly kind: "found"; readonly facts: Facts }
  /** `rule` is the one that is broken: nothing else can be looked at. */
  | { readonly kind: "unusable"; readonly rule: "listens" | "speaks"; readonly why: string };

/** Starts a plugin once to find out what it is and what it speaks. Nothing of it is left. */
export async function examine(options: ExamineOptions): Promise<Examination> {
  const { kind, limits } = options;
  const small = await open(options, false);
  // One that ends at once may miss a variable.
  const isRepeated = small.kind === "failed" && small.hasEnded;
  const opening = isRepeated ? await open(options, true) : small;
  if (opening.kind === "failed") {
    // What it said with few variables is what it will say to OpenTalon.
    return {
      kind: "unusable",
      rule: "listens",
      why: small.kind === "failed" ? small.why : opening.why,
    };
  }
  const { process, address, by } = opening.opened;
  try {
    const wire = await detectWire(address, limits.introductionMs);
    if (wire === undefined) return unusable("speaks neither gRPC nor length-prefixed JSON");
    if (wire === "json" && (by === "socket" || kind === "provider"))
      return unusable(
        "speaks the length-prefixed JSON of the first generation, which this test knows of tool plugins only",
      );
    const found = kind ?? (by === "socket" ? "channel" : wire === "json" ? "tool" : undefined);
    const detected = found ?? (await detectKind(address, limits.introductionMs));
    if (detected === undefined) return unusable("serves neither PluginService nor ProviderService");
    const environmentProblem = small.kind === "failed" ? `it ${small.why}` : "";
    const first = await startAsHost(options, detected, environmentProblem !== "", opening.opened);
    return { kind: "found", facts: { kind: detected, wire, first, environmentProblem } };
  } finally {
    await process.stop(0);
  }
}

/**
 * How it starts when it is started as what it is. Until that was known it was started as a channel, too, which lets some
 * print what they would not print otherwise.
 */
async function startAsHost(
  options: ExamineOptions,
  kind: PluginKind,
  whole: boolean,
  earlier: OpenedPlugin,
): Promise<Facts["first"]> {
  const opening =
    options.kind === undefined && kind !== "channel"
      ? await open({ ...options, kind }, whole)
      : undefined;
  const opened = opening?.kind === "opened" ? opening.opened : earlier;
  if (opened !== earlier) await opened.process.stop(0);
  const { line, lineNumber, readyMs, address, process } = opened;
  return { line, lineNumber, readyMs, address, temporaryFolder: process.temporaryFolder };
}

function unusable(why: string): Examination {
  return { kind: "unusable", rule: "speaks", why: `it ${why}` };
}

function open({ command, env, kind, limits }: ExamineOptions, whole: boolean): Promise<Opening> {
  return openPlugin({
    command,
    env,
    // A tool plugin does not care for the variable, and a channel needs it.
    asChannel: kind === undefined || kind === "channel",
    wholeEnvironment: whole,
    expects: kind === undefined ? undefined : kind === "channel" ? "socket" : "line",
    timeoutMs: limits.handshakeMs,
  });
}

async function detectKind(address: Address, timeoutMs: number): Promise<PluginKind | undefined> {
  const client = createGrpcClient(address);
  try {
    const patience = { timeoutMs };
    const told = await callUnary(
      client,
      pluginServiceMethods.capabilities,
      create(EmptySchema),
      patience,
    );
    if (!isUnimplemented(told)) return "tool";
    const init = create(providerMessages.InitRequestSchema, { configJson: "{}" });
    if (!isUnimplemented(await callUnary(client, providerServiceMethods.init, init, patience)))
      return "provider";
    const request = create(providerMessages.CompleteRequestSchema, { model: "none" });
    const answer = await callComplete(client, request, patience);
    return isUnimplemented(answer) ? undefined : "provider";
  } finally {
    client.close();
  }
}
