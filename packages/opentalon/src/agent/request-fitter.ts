import type { Model, ModelRequest } from "../domain/model.ts";
import type { FittedRequest, RequestFitter } from "../domain/request-fitter.ts";
import type { TranscriptMessage } from "../domain/session.ts";
import { estimateText, fitHistory, sumTokens, toTurns } from "./fit-history.ts";
import { shortenResults } from "./shorten-results.ts";
import { createStartMemory } from "./start-memory.ts";
import type { StartMemory } from "./start-memory.ts";
import { createWindowMemory } from "./window-memory.ts";
import type { WindowMemory } from "./window-memory.ts";

/** Shorter forms of one request that one model is sent after it refused the first. */
const maxShortenings = 6;
/** How often the history is halved before the question stands alone. */
const maxHalvings = 3;

/** Share of the room that is filled when turns have to be left out, so that the next ones can follow without a cut. */
const shareAfterCut = 0.75;

/** A form of the request, and how a model took it. */
interface Form {
  readonly request: ModelRequest;
  readonly turnCount: number;
  /** Estimate. */
  readonly tokens: number;
}

interface Progress {
  readonly form: Form;
  readonly refusals: number;
  /** Estimate of the shortest form that was refused without a word about the limit. */
  readonly refusedTokens: number | undefined;
}

/**
 * Gets: whole requests. Gives: what of each a model can read, learning from refusals and reported tokens, for all requests.
 * Never: cuts inside an earlier turn, or leaves out the question or the tools.
 */
export function createRequestFitter(): RequestFitter {
  const windows = createWindowMemory();
  const starts = createStartMemory();
  return (request) => fitRequest(request, windows, starts);
}

function fitRequest(
  request: ModelRequest,
  windows: WindowMemory,
  starts: StartMemory,
): FittedRequest {
  const { messages, system, tools, sessionKey } = request;
  const start = Math.max(
    0,
    messages.findLastIndex(({ role }) => role === "user"),
  );
  const history = toTurns(messages.slice(0, start));
  const running = messages.slice(start);
  const runningTokens = sumTokens(running);
  const fixedTokens =
    estimateText(system) + (tools.length === 0 ? 0 : estimateText(JSON.stringify(tools)));
  const progresses = new Map<string, Progress>();
  const exhausted = new Set<Model>();

  /** The longest form within the budget that has at most `maxTurns` earlier turns. */
  const toForm = (budgetTokens: number, maxTurns: number): Form => {
    const room = budgetTokens - fixedTokens;
    const kept = fitHistory(history, room - runningTokens, maxTurns);
    const news = runningTokens > room ? shortenResults(running, room) : running;
    const historyTokens = kept.reduce((sum, turn) => sum + turn.tokens, 0);
    const newsTokens = news === running ? runningTokens : sumTokens(news);
    return {
      request: { ...request, messages: [...kept.flatMap((turn) => turn.messages), ...news] },
      turnCount: kept.length,
      tokens: fixedTokens + historyTokens + newsTokens,
    };
  };

  /** What is sent first: all that fits, or, where that is not all, what goes on from the beginning sent before. */
  const toFirstForm = (model: Model): Form => {
    const budget = windows.budgetOf(model);
    const longest = toForm(budget, history.length);
    if (longest.turnCount === 0 || longest.turnCount === history.length) return longest;
    const kept = history.slice(-longest.turnCount);
    const known = starts.find(model.name, sessionKey, kept);
    if (known >= 0) return toForm(budget, kept.length - known);
    const room = budget - fixedTokens - runningTokens;
    const turns = Math.max(1, fitHistory(kept, room * shareAfterCut).length);
    const first = history.at(-turns);
    if (first !== undefined) starts.keep(model.name, sessionKey, first);
    return toForm(budget, turns);
  };

  /** What to send instead of `form` once it was refused; no shorter than it when nothing can be left out. */
  const toShorter = (model: Model, { turnCount, tokens }: Form, refusals: number): Form => {
    const budget = windows.budgetOf(model);
    const fitting = toForm(budget, turnCount);
    if (fitting.tokens < tokens) return fitting;
    if (turnCount > 0)
      return toForm(budget, refusals <= maxHalvings ? Math.floor(turnCount / 2) : 0);
    return toForm(fixedTokens + Math.floor((tokens - fixedTokens) / 2), 0);
  };

  const isHopeless = (model: Model): boolean => {
    const window = windows.windowOf(model);
    return window > 0 && [...exhausted].some((other) => windows.windowOf(other) >= window);
  };

  return {
    forModel: (model) => {
      const progress = progresses.get(model.name);
      if (progress !== undefined) return progress.form.request;
      if (isHopeless(model)) return undefined;
      const form = toFirstForm(model);
      progresses.set(model.name, { form, refusals: 0, refusedTokens: undefined });
      return form.request;
    },
    shorten: (model, refusal) => {
      const progress = progresses.get(model.name);
      if (progress === undefined) return false;
      const { form } = progress;
      const refusals = progress.refusals + 1;
      const isOfText = !form.request.messages.some(hasFiles);
      windows.refused(
        model,
        form.tokens,
        isOfText ? refusal : { ...refusal, sentTokens: undefined },
      );
      const shorter = toShorter(model, form, refusals);
      if (refusals > maxShortenings || shorter.tokens >= form.tokens) {
        exhausted.add(model);
        return false;
      }
      const isTelling = isOfText && refusal.limitTokens === undefined;
      const refusedTokens = isTelling ? form.tokens : undefined;
      progresses.set(model.name, { form: shorter, refusals, refusedTokens });
      return true;
    },
    learn: ({ model, usage }) => {
      const progress = progresses.get(model);
      if (progress === undefined) return;
      const { form, refusedTokens } = progress;
      if (refusedTokens !== undefined) windows.acceptedAfter(model, form.tokens, refusedTokens);
      if (!form.request.messages.some(hasFiles))
        windows.measured(model, form.tokens, usage.inputTokens);
    },
  };
}

/** What files cost differs so much between models that it says nothing about texts. */
function hasFiles(message: TranscriptMessage): boolean {
  return message.role === "user" && message.files !== undefined;
}
