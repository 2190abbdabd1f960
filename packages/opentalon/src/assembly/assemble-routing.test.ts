import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AgentRun } from "../agent/run-agent.ts";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { ProviderError, StoreError } from "../base/errors.ts";
import { parseConfig } from "../config/load-config.ts";
import type { Model } from "../domain/model.ts";
import type { TranscriptMessage } from "../domain/session.ts";
import { runCommand } from "../inbound/run-command.ts";
import { runTurn } from "../orchestrator/turn.ts";
import type { AnswerRequest, TurnStages } from "../orchestrator/turn-stages.ts";
import { openStepJournal } from "../store/open-step-journal.ts";
import { defaultStoreLimits, type RoutingStore } from "../store/ports.ts";
import { createSqliteStore } from "../store/sqlite-store.ts";
import { createMessage } from "../store/store.contract.ts";
import { assembleRouting } from "./assemble-routing.ts";

const model = (id: string, price: number): Model => ({
  name: `p/${id}`,
  provider: "p",
  id,
  nativeTools: true,
  input: ["text"],
  contextWindow: 0,
  maxTokens: 0,
  cost: { input: price, output: price },
});
const models = [model("small", 1), model("big", 50), model("other", 5)];
const key = "console:room";

/** What a model does with a question; `ok` answers with its own name. */
type Deed = "ok" | "strange words" | "tools" | "fails" | "fails-after-tools" | "refused" | "empty";

interface ConversationOptions {
  readonly contextMessages?: number;
  readonly wrapStore?: (store: RoutingStore) => RoutingStore;
}

/** A conversation over a real database, with models that do as they are told. */
async function createConversation({
  contextMessages = 0,
  wrapStore = (store) => store,
}: ConversationOptions = {}) {
  const dataDirectory = mkdtempSync(join(tmpdir(), "opentalon-routing-"));
  const clock = createManualClock();
  const log = createSilentLog();
  const store = await createSqliteStore({ dataDirectory, clock, limits: defaultStoreLimits });
  const provider = { base_url: "http://127.0.0.1:9/v1", api_key: "k", models: ["small", "big"] };
  const catalog = { "p/small": { weight: 90, alias: "tiny" }, "p/big": { weight: 10 } };
  const text = JSON.stringify({ models: { providers: { p: provider }, catalog } });
  const { config } = parseConfig({ text, path: "config.yaml", environment: {} });
  const routing = assembleRouting({
    config,
    models: () => models,
    store: wrapStore(store.routing),
    posted: store.posted,
    clock,
    log,
    random: () => 0.5,
  });
  const { router } = routing;
  const asked: { readonly model: string; readonly prompt: readonly TranscriptMessage[] }[] = [];
  let count = 0;
  let deed: Deed = "ok";

  const answer = (request: AnswerRequest): Promise<AgentRun> => {
    const [first] = request.route.models;
    const name = first?.name ?? "";
    const question: TranscriptMessage = { role: "user", content: request.text };
    asked.push({ model: name, prompt: [...request.history, question] });
    const usage = { inputTokens: 10, outputTokens: 5 };
    const reply = { text: name, toolCalls: [], finishReason: "stop" as const, usage, model: name };
    const calls = ["1", "2"].map((id) => ({ id, name: "mail__send", arguments: {} }));
    const rounds: readonly TranscriptMessage[] = [
      { role: "assistant", content: "", toolCalls: calls },
      ...calls.map(({ id, name: tool }): TranscriptMessage => {
        return { role: "tool", callId: id, tool, content: "sent", isError: false };
      }),
    ];
    const tools = deed.endsWith("tools") ? rounds : [];
    if (deed === "refused")
      return Promise.resolve({
        outcome: { kind: "refused", content: "no", metadata: {} },
        messages: [question],
      });
    if (deed.startsWith("fails")) {
      const error = new ProviderError("busy", { reason: "overloaded", model: name });
      return Promise.resolve({
        outcome: { kind: "failed", error },
        messages: [question, ...tools],
      });
    }
    request.onReply(reply);
    const content = deed === "empty" ? "" : name;
    const final: TranscriptMessage = { role: "assistant", content, toolCalls: [] };
    return Promise.resolve({
      outcome: deed === "empty" ? { kind: "empty" } : { kind: "answered", text: name },
      messages: [question, ...tools, final],
    });
  };

  const stages: TurnStages = {
    loadSession: ({ sessionKey }) => store.sessions.load(sessionKey, contextMessages),
    openJournal: (turn) => openStepJournal(store.journal, turn),
    runCommand: (message, session) =>
      runCommand(message, session, {
        resolveModel: router.resolve,
        models: router.models,
        currentModel: ({ pinnedModel }) => router.rank({ pinnedModel }).models[0] as Model,
        judgeByChoice: routing.judgeByChoice,
        showConfig: () => "",
        isOperator: () => false,
      }),
    readIntent: routing.readIntent,
    prepare: (_turn, content) => {
      const words = deed === "strange words" ? "Blue birds sing loudest at midnight." : content;
      return Promise.resolve({ kind: "continue", content: `<${words}>` });
    },
    hasPreparers: true,
    hasModel: (name) => router.resolve(name) !== undefined,
    rank: (question) => routing.rank(question, 0),
    answer,
    format: (_turn, words) => Promise.resolve({ kind: "formatted", text: words }),
    hasFormatters: false,
    toUsageRow: (_turn, { model: name, usage }) => ({
      sessionKey: key,
      actor: "a",
      channel: "console",
      model: name,
      ...usage,
      toolCalls: 0,
      inputCost: 1,
      outputCost: 1,
    }),
    toRouting: routing.toRouting,
    onJudged: routing.onJudged,
    commit: store.commitTurn,
    deliver: () => undefined,
    observe: () => undefined,
    createReference: () => "ref",
    now: clock.now,
    log,
  };

  return {
    store,
    routing,
    clock,
    asked,
    outcomes: () => store.routing.outcomes("", 1_000),
    session: () => store.sessions.load(key, 0),
    /** Says something and gives the words that come back; to the n-th message the reply is called `reply n`. */
    say: async (
      content: string,
      does: Deed = "ok",
      metadata: Readonly<Record<string, string>> = {},
      isUnlucky = false,
    ): Promise<string | undefined> => {
      count += 1;
      deed = does;
      clock.advance(1_000);
      const message = createMessage(`m${count}`, { content, metadata });
      const outcome = await store.inbox.accept(message, key);
      if (outcome.kind === "duplicate") throw new Error("seen before");
      let said: string | undefined;
      const commit: TurnStages["commit"] = async (change) => {
        said = change.reply?.content;
        // Its first try went through and was not confirmed.
        if (isUnlucky) await store.commitTurn(change);
        const delivery = await store.commitTurn(change);
        if (delivery !== undefined) {
          const { turnId, message: reply } = delivery;
          const { channel, conversationId } = reply;
          const messageIds = [`reply ${count}`];
          await store.posted.add({ turnId, channel, conversationId, messageIds });
        }
        return delivery;
      };
      const { signal } = new AbortController();
      if (isUnlucky) {
        // The whole turn was lost right before its commit, and begins anew.
        const lose = () => Promise.reject(new StoreError("STORE_FENCED", "lost"));
        const lost = runTurn(outcome.entry, { ...stages, commit: lose }, signal);
        await expect(lost).rejects.toThrow("lost");
      }
      await runTurn(outcome.entry, { ...stages, commit }, signal);
      return said;
    },
    [Symbol.asyncDispose]: async () => {
      await routing[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}

const toContents = (messages: readonly TranscriptMessage[]) =>
  messages.map(({ content }) => content);

describe("a conversation with a choice of models", () => {
  it("goes on from the rejected answer when the next model was away", async () => {
    await using room = await createConversation();
    expect(await room.say("What is the capital of Peru?")).toBe("p/small");
    expect(await room.say("no, I meant Chile", "fails")).toMatch(/reference ref/);
    expect(await room.say("/why")).toMatch(/^Nobody could answer\. p\/big came first/);
    expect(await room.say("try again")).toBe("p/big");
    const { messages, lastAnswer } = await room.session();
    expect(toContents(messages)).toEqual([
      "<What is the capital of Peru?>\n\n<no, I meant Chile>",
      "p/big",
    ]);
    expect(lastAnswer?.tried).toEqual(["p/small"]);
    expect(lastAnswer?.unanswered).toBeUndefined();
    expect(await room.outcomes()).toMatchObject([{ model: "p/small", accepted: false, weight: 1 }]);
  });

  it("puts a question through the preparers once for each time it is asked", async () => {
    await using room = await createConversation();
    await room.say("What is the capital of Peru?", "fails");
    await room.say("try again");
    expect(toContents((await room.session()).messages)).toEqual([
      "<What is the capital of Peru?>",
      "p/small",
    ]);
  });

  it("knows a question in other words, whatever preparers made of the first ones", async () => {
    await using room = await createConversation();
    await room.say("What is the capital of Peru?", "strange words");
    expect(await room.say("What's the capital city of Peru then?")).toBe("p/big");
    expect(toContents((await room.session()).messages)).toEqual([
      "<What's the capital city of Peru then?>",
      "p/big",
    ]);
  });

  it("asks the model whose name was put right, and asks it the same", async () => {
    await using room = await createConversation();
    await room.say("What is the capital of Peru?");
    expect(await room.say("--model bog Who was Bach?")).toMatch(/no model "bog"/);
    expect(await room.say("/why")).toBe("No model was asked.");
    expect(await room.say("--model big")).toBe("p/big");
    expect(room.asked.at(-1)?.prompt.at(-1)?.content).toBe("<Who was Bach?>");
    expect((await room.session()).messages).toHaveLength(4);
  });

  it("says so when an answer is too far back, and counts the judgement", async () => {
    await using room = await createConversation({ contextMessages: 2 });
    await room.say("Write to Bob.", "tools");
    expect(await room.say("/retry")).toMatch(/too far back/);
    expect(await room.outcomes()).toMatchObject([{ accepted: false, weight: 2 }]);
  });

  it("learns from a stronger model that is asked for, not from one of unknown strength", async () => {
    await using room = await createConversation();
    await room.say("--model other Who was Bach?");
    expect(await room.outcomes()).toEqual([]);
    await room.say("--model big And Mozart? When was he born?");
    const passedOver = (await room.outcomes()).filter(({ cause }) => cause === "passed-over");
    expect(passedOver).toMatchObject([{ model: "p/small", accepted: false, weight: 2 }]);
    await room.say("/new");
    await room.say("/model small");
    await room.say("--model big Who was Haydn?");
    expect((await room.outcomes()).filter(({ cause }) => cause === "passed-over")).toHaveLength(1);
  });

  it("keeps no trace of who asked, or where, in the history", async () => {
    await using room = await createConversation();
    await room.say("My secret word is xylophone, remember it.");
    await room.say("thanks, what was it?");
    const history = JSON.stringify(await room.outcomes());
    expect(history).toContain("p/small");
    for (const word of ["xylophone", "secret", "console"]) expect(history).not.toContain(word);
  });

  it("reads the history a few times for many judgements at once", async () => {
    let reads = 0;
    await using room = await createConversation({
      wrapStore: (store) => ({
        ...store,
        outcomes: (...range) => {
          reads += 1;
          return store.outcomes(...range);
        },
      }),
    });
    await room.say("Who was Bach?");
    const before = reads;
    for (let index = 0; index < 100; index += 1) room.routing.onJudged();
    await room.say("And Mozart? When was he born?");
    expect(reads - before).toBeLessThanOrEqual(4);
  });

  it("looks for what others wrote again after the clock was set back", async () => {
    let loads = 0;
    await using room = await createConversation({
      wrapStore: (store) => ({
        ...store,
        load: () => {
          loads += 1;
          return store.load();
        },
      }),
    });
    await room.say("Who was Bach?");
    room.clock.advance(-3_600_000);
    await room.say("And Mozart? When was he born?");
    expect(loads).toBe(2);
  });
});

/** Every service takes it: a person's message, then calls with their results right behind, and words at the end. */
function findFlaw(messages: readonly TranscriptMessage[]): string | undefined {
  const roles = messages.map(({ role }) => role).join(" ");
  let open: string[] = [];
  let before: TranscriptMessage["role"] | "words" = "words";
  for (const message of messages) {
    if (message.role === "tool") {
      if (open.shift() !== message.callId) return `a result without its call: ${roles}`;
    } else if (open.length > 0) return `a call without its result: ${roles}`;
    if (message.role === "user" && before !== "words") return `no answer before a user: ${roles}`;
    if (message.role === "assistant" && before === "words") return `an answer to nobody: ${roles}`;
    if (message.role === "assistant") open = message.toolCalls.map(({ id }) => id);
    before = message.role === "assistant" && open.length === 0 ? "words" : message.role;
  }
  return before === "words" ? undefined : `it does not end with an answer: ${roles}`;
}

const said = fc.record({
  content: fc.constantFrom(
    "What is the capital of Peru?",
    "How much is 6 times 7?",
    "no, try again",
    "no, try again",
    "that is wrong, I meant the other one",
    "What's the capital city of Peru then?",
    "thanks!",
    "/retry",
    "/good",
    "/model big",
    "/model auto",
    "/new",
    "--model big",
    "--model nope",
    "--model small How warm is it there?",
    "",
  ),
  deed: fc.constantFrom<Deed>(
    "ok",
    "ok",
    "ok",
    "tools",
    "tools",
    "fails",
    "fails-after-tools",
    "refused",
    "empty",
  ),
  reaction: fc.constantFrom("", "", "", "👎", "👍", "👀"),
  reactionTo: fc.constantFrom("", "", "reply 1", "reply 2", "reply 3", "reply 9"),
  isUnlucky: fc.boolean(),
});

describe("a reaction that names its message", () => {
  const to = (reply: number, reaction: string) =>
    ["", "ok", { reaction, reaction_to: `reply ${reply}` }] as const;
  const judgements = async (room: Awaited<ReturnType<typeof createConversation>>) =>
    (await room.outcomes()).map(({ id, model: name, accepted, weight }) => [
      id,
      name,
      accepted,
      weight,
    ]);

  it("judges that answer, once, and leaves the newest alone", async () => {
    await using room = await createConversation();
    await room.say("What is the capital of Peru?");
    const first = (await room.session()).lastAnswer?.id;
    // Going on with something else is a hint that the answer was good; a thumb knows better.
    await room.say("And who wrote Faust?");
    expect(await judgements(room)).toEqual([[first, "p/small", true, 1]]);
    const { messages, lastAnswer } = await room.session();
    for (const reaction of ["👎", "👎", "👍"])
      expect(await room.say(...to(1, reaction))).toBeUndefined();
    expect(await judgements(room)).toEqual([[first, "p/small", false, 2]]);
    expect(room.asked).toHaveLength(2);
    expect(await room.session()).toMatchObject({ messages, lastAnswer });
    expect(lastAnswer?.isJudged).toBe(false);
  });

  it("has the newest answer given anew, and no other", async () => {
    await using room = await createConversation();
    await room.say("What is the capital of Peru?");
    await room.say("Count to ten.");
    expect(await room.say(...to(1, "🔁"))).toMatch(/^Only the newest answer/);
    expect(room.asked).toHaveLength(2);
    expect(await room.say(...to(2, "🔁"))).toBe("p/big");
    expect((await room.session()).messages).toHaveLength(4);
  });

  it("says nothing of answers when its message is none", async () => {
    await using room = await createConversation();
    await room.say("What is the capital of Peru?");
    expect(await room.say(...to(7, "👎"))).toBeUndefined();
    expect(await judgements(room)).toEqual([]);
    expect((await room.session()).lastAnswer?.isJudged).toBe(false);
  });

  it("has a question tried again when nobody could answer, by the words that say so", async () => {
    await using room = await createConversation();
    expect(await room.say("What is the capital of Peru?")).toBe("p/small");
    expect(await room.say("no, I meant Chile", "fails")).toMatch(/reference ref/);
    expect(await room.say(...to(2, "🔁"))).toBe("p/big");
    expect(toContents((await room.session()).messages)[0]).toContain("Chile");
  });
});

describe("whatever people say and models do", () => {
  it("the conversation stays one that every model can read, and an answer is judged once", async () => {
    const script = fc.array(said, { maxLength: 14 });
    await fc.assert(
      fc.asyncProperty(script, fc.constantFrom(0, 5), async (acts, contextMessages) => {
        await using room = await createConversation({ contextMessages });
        for (const { content, deed, reaction, reactionTo, isUnlucky } of acts) {
          const metadata: Record<string, string> =
            reaction === "" ? {} : { reaction, reaction_to: reactionTo };
          if (content === "" && reaction === "") continue;
          await room.say(content, deed, metadata, isUnlucky);
          const { messages, lastAnswer } = await room.session();
          expect(findFlaw(messages)).toBeUndefined();
          if (lastAnswer !== undefined && lastAnswer.messageCount > 0) {
            expect(lastAnswer.messageCount).toBeLessThanOrEqual(messages.length);
            expect(messages.at(-lastAnswer.messageCount)?.role).toBe("user");
          }
        }
        for (const { prompt } of room.asked) {
          expect(prompt.at(-1)?.role).toBe("user");
          expect(prompt.at(-1)?.content).not.toBe("");
          if (contextMessages === 0) expect(findFlaw(prompt.slice(0, -1))).toBeUndefined();
        }
        const judged = (await room.outcomes()).map(({ id }) => id);
        expect(new Set(judged).size).toBe(judged.length);
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
