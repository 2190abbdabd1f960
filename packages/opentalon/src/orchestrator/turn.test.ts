import { describe, expect, it } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import { ProviderError, StoreError } from "../base/errors.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { AnswerRecord } from "../domain/answer.ts";
import type { Model, ModelReply } from "../domain/model.ts";
import type { Session } from "../domain/session.ts";
import type { Turn, TurnEvent } from "../domain/turn.ts";
import type { TurnCommit } from "../store/ports.ts";
import type { CommandOutcome } from "../inbound/run-command.ts";
import { runTurn } from "./turn.ts";
import type { TurnStages } from "./turn-stages.ts";

const message: InboundMessage = {
  channel: "c",
  channelKind: "console",
  platformMessageId: "1",
  conversationId: "room",
  threadId: "",
  senderId: "ann",
  senderName: "Ann",
  content: "hi",
  files: [],
  metadata: {},
  sentAtMs: 0,
};
const turn: Turn = { id: "t1", sessionKey: "c:room", message, attempt: 1 };
const model = (name: string): Model => ({
  name,
  provider: "p",
  id: name,
  nativeTools: true,
  input: ["text"],
  contextWindow: 0,
  maxTokens: 0,
  cost: { input: 0, output: 0 },
});
const reply = (text: string): ModelReply => ({
  text,
  toolCalls: [],
  finishReason: "stop",
  usage: { inputTokens: 3, outputTokens: 2 },
  model: "p/m",
});

function stages(more: Partial<TurnStages> = {}) {
  const commits: TurnCommit[] = [];
  const events: TurnEvent[] = [];
  const records: [string, unknown][] = [];
  const all: TurnStages = {
    loadSession: () =>
      Promise.resolve({ key: "c:room", messages: [], pinnedModel: "", lastAnswer: undefined }),
    openJournal: () =>
      Promise.resolve({
        find: () => undefined,
        begin: () => Promise.resolve(),
        record: (step, value) => Promise.resolve(void records.push([step, value])),
      }),
    runCommand: () => undefined,
    prepare: (_turn, text) => Promise.resolve({ kind: "continue", content: text }),
    hasPreparers: false,
    readIntent: ({ message: { content } }) => ({
      kind: "question",
      text: content,
      model: "",
      signals: [],
    }),
    hasModel: () => true,
    rank: (question) =>
      Promise.resolve({
        ...question,
        route: { models: [model("p/m"), model("p/n")], cause: "order", reason: "" },
        task: "chat",
        features: "",
      }),
    toRouting: () => ({ answers: [], signals: [] }),
    onJudged: () => undefined,
    answer: ({ text, onReply }) => {
      onReply(reply(`re: ${text}`));
      return Promise.resolve({
        outcome: { kind: "answered", text: `re: ${text}` },
        messages: [
          { role: "user", content: text },
          { role: "assistant", content: `re: ${text}`, toolCalls: [] },
        ],
      });
    },
    format: (_turn, text) => Promise.resolve({ kind: "formatted", text }),
    hasFormatters: false,
    toUsageRow: (_turn, { model, usage }) => ({
      sessionKey: "c:room",
      actor: "c:ann",
      channel: "c",
      model,
      ...usage,
      toolCalls: 0,
      inputCost: 0,
      outputCost: 0,
    }),
    commit: (commit) => Promise.resolve(void commits.push(commit)),
    deliver: () => undefined,
    observe: (_turn, event) => events.push(event),
    createReference: () => "ref123",
    now: () => 1_000,
    log: createSilentLog(),
    ...more,
  };
  return { commits, events, records, all };
}

const run = (all: TurnStages, signal = new AbortController().signal) => runTurn(turn, all, signal);

describe("a turn", () => {
  it("commits the reply, the conversation and what it cost at once", async () => {
    const { all, commits, events } = stages();
    await run(all);
    expect(commits).toHaveLength(1);
    expect(commits[0]).toMatchObject({
      entry: turn,
      reply: { channel: "c", conversationId: "room", content: "re: hi" },
      session: {
        appended: [
          { role: "user", content: "hi" },
          { role: "assistant", content: "re: hi" },
        ],
      },
      usage: [{ model: "p/m", inputTokens: 3, outputTokens: 2 }],
    });
    expect(events.at(-1)).toEqual({ kind: "turn-finished", outcome: "answered" });
  });

  it("shows the model no sound that became text, also after a crash", async () => {
    const sound = { name: "v", mimeType: "audio/ogg", data: new Uint8Array([1]) };
    const picture = { name: "p", mimeType: "image/png", data: new Uint8Array([2]) };
    const asked: unknown[] = [];
    const { all, records } = stages({
      hasPreparers: true,
      prepare: (_turn, text, _journal, _signal, session) =>
        Promise.resolve({
          kind: "continue",
          content: `${session.key}: heard, ${text}`,
          transcribed: [0],
        }),
      answer: ({ text, files }) => {
        asked.push([text, files]);
        return Promise.resolve({ outcome: { kind: "empty" }, messages: [] });
      },
    });
    const spoken = { ...turn, message: { ...message, files: [sound, picture] } };
    const { signal } = new AbortController();
    await runTurn(spoken, all, signal);
    const recorded = records.find(([step]) => step === "prepare")?.[1];
    const journal = {
      find: (step: string) =>
        step === "prepare" ? ({ state: "recorded", value: recorded } as const) : undefined,
      begin: () => Promise.resolve(),
      record: () => Promise.resolve(),
    };
    await runTurn(spoken, { ...all, openJournal: () => Promise.resolve(journal) }, signal);
    expect(asked).toEqual([
      ["c:room: heard, hi", [picture]],
      ["c:room: heard, hi", [picture]],
    ]);
  });

  it("asks the person, in our own words, for calls that wait for them", async () => {
    const consent = { state: "awaited", actor: "c:ann", call: "x" } as const;
    const { all, commits } = stages({
      answer: () =>
        Promise.resolve({
          outcome: { kind: "answered", text: "Shall I?" },
          messages: [
            { role: "user", content: "hi" },
            {
              role: "assistant",
              content: "",
              toolCalls: [{ id: "1", name: "a__b", arguments: {} }],
            },
            { role: "tool", callId: "1", tool: "a__b", content: "", isError: true, consent },
            { role: "assistant", content: "Shall I?", toolCalls: [] },
          ],
        }),
    });
    await run(all);
    expect(commits[0]?.reply?.content).toMatch(/^Shall I\?\n\n.*\n- `a__b \{\}`\n/);
    expect(commits[0]?.reply?.metadata).toMatchObject({ type: "confirmation" });
  });

  it("ends with a preparer's words without asking a model or remembering the message", async () => {
    const { all, commits } = stages({
      hasPreparers: true,
      prepare: () => Promise.resolve({ kind: "answer", content: "not here", metadata: {} }),
      answer: () => Promise.reject(new Error("the model must not be asked")),
    });
    await run(all);
    expect(commits[0]).toMatchObject({
      reply: { content: "not here" },
      session: { appended: [] },
      usage: [],
    });
  });

  it("records the prepared text before the model sees it and reuses it after a crash", async () => {
    const first = stages({
      hasPreparers: true,
      prepare: () => Promise.resolve({ kind: "continue", content: "prepared" }),
    });
    await run(first.all);
    expect(first.records).toEqual([["prepare", { kind: "continue", content: "prepared" }]]);

    const again = stages({
      hasPreparers: true,
      prepare: () => Promise.reject(new Error("must not run twice")),
      openJournal: () =>
        Promise.resolve({
          find: () => ({ state: "recorded", value: { kind: "continue", content: "prepared" } }),
          begin: () => Promise.resolve(),
          record: () => Promise.resolve(),
        }),
    });
    await run(again.all);
    expect(again.commits[0]?.reply?.content).toBe("re: prepared");
  });

  it("answers a failure in words with a reference and forgets the question", async () => {
    const error = new ProviderError("429 from p/m", { reason: "rate-limited", model: "p/m" });
    const { all, commits, events } = stages({ answer: () => Promise.reject(error) });
    await run(all);
    expect(commits[0]?.reply?.content).toMatch(/too many requests.*reference ref123/);
    expect(commits[0]?.reply?.metadata).toMatchObject({
      type: "error",
      error_code: "rate_limited",
    });
    expect(commits[0]?.session.appended).toEqual([]);
    expect(events.at(-1)).toEqual({ kind: "turn-finished", outcome: "failed" });
  });

  it("remembers what tools did even when the model failed afterwards", async () => {
    const { all, commits } = stages({
      answer: () =>
        Promise.resolve({
          outcome: {
            kind: "failed",
            error: new ProviderError("gone", { reason: "unreachable", model: "p/m" }),
          },
          messages: [
            { role: "user", content: "hi" },
            {
              role: "assistant",
              content: "",
              toolCalls: [{ id: "1", name: "a__b", arguments: {} }],
            },
            { role: "tool", callId: "1", tool: "a__b", content: "ok", isError: false },
          ],
        }),
    });
    await run(all);
    expect(commits[0]?.session.appended.map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "tool",
      "assistant",
    ]);
  });

  it("never shows an internal error's text to the person", async () => {
    const { all, commits } = stages({
      answer: () => Promise.reject(new Error("secret path /etc/x")),
    });
    await run(all);
    expect(commits[0]?.reply?.content).not.toContain("/etc/x");
  });

  it("that the person stops is committed as such, with what its tools did, and answers all its messages", async () => {
    const toldToStop: Turn = {
      ...turn,
      id: "t9",
      message: { ...message, platformMessageId: "9", content: "/stop" },
    };
    const alongside: Turn = { ...turn, id: "t2", message: { ...message, platformMessageId: "2" } };
    const ending = new AbortController();
    const call = (id: string) => ({ id, name: "p__act", arguments: {} });
    const calls = { role: "assistant", content: "", toolCalls: [call("a"), call("b")] } as const;
    const finished: string[] = [];
    const { all, commits } = stages({
      answer: async ({ text, journal, onReply, onMessages }) => {
        onReply(reply("calling"));
        onMessages([{ role: "user", content: text }, calls]);
        await journal.record("tool:1:1", { content: "done", isError: false });
        ending.abort({ kind: "stopped", take: () => [toldToStop] });
        throw new ProviderError("the call was cancelled", { reason: "cancelled", model: "p/m" });
      },
      observe: ({ id }, event) => {
        if (event.kind === "turn-finished") finished.push(`${id} ${event.outcome}`);
      },
    });
    await runTurn({ ...turn, alongside: [alongside] }, all, ending.signal);
    expect(finished).toEqual(["t1 stopped", "t2 stopped", "t9 stopped"]);
    expect(commits).toHaveLength(1);
    expect(commits[0]).toMatchObject({
      entry: { id: "t1" },
      alsoAnswered: [{ id: "t2" }, { id: "t9" }],
      reply: { content: "Stopped.", metadata: { in_reply_to: "9", action: "stop" } },
      usage: [{ model: "p/m" }],
      session: {
        appended: [
          { role: "user", content: "hi" },
          calls,
          { role: "tool", callId: "a", content: "done", isError: false },
          { role: "tool", callId: "b", isError: true },
          { role: "assistant", content: "Stopped." },
        ],
      },
    });
    expect(JSON.stringify(commits[0]?.session)).toContain("It may or may not have taken effect");
  });

  it("that was stopped before it came to anything leaves the conversation as it was", async () => {
    const ending = new AbortController();
    ending.abort({ kind: "stopped", take: () => [] });
    const { all, commits } = stages({ answer: () => Promise.reject(new Error("aborted")) });
    await run(all, ending.signal);
    expect(commits).toMatchObject([{ reply: { content: "Stopped." }, session: { appended: [] } }]);
    const fenced = new StoreError("STORE_FENCED", "taken over");
    const other = stages({ answer: () => Promise.reject(fenced) });
    await expect(run(other.all, ending.signal)).rejects.toBe(fenced);
    expect(other.commits).toEqual([]);
  });

  it("commits nothing when it is aborted or another process has taken it over", async () => {
    const aborted = stages({ answer: () => Promise.reject(new Error("aborted")) });
    await expect(run(aborted.all, AbortSignal.abort())).rejects.toThrow("aborted");
    expect(aborted.commits).toEqual([]);

    const fenced = stages({
      openJournal: () => Promise.reject(new StoreError("STORE_FENCED", "taken over")),
    });
    await expect(run(fenced.all)).rejects.toThrow("taken over");
    expect(fenced.commits).toEqual([]);
    expect(fenced.events.at(-1)).toEqual({ kind: "turn-finished", outcome: "failed" });
  });

  it("answers with a failure, and asks no model again, when the store refuses what is in the turn", async () => {
    let asked = 0;
    const refused: TurnCommit[] = [];
    const { all, commits } = stages();
    await run({
      ...all,
      answer: (request) => {
        asked += 1;
        return all.answer(request);
      },
      commit: (commit) => {
        if (commit.usage.length === 0) return all.commit(commit);
        refused.push(commit);
        return Promise.reject(new StoreError("STORE_FAILED", "bigint out of range"));
      },
    });
    expect([asked, refused.length, commits.length]).toEqual([1, 1, 1]);
    expect(commits[0]?.reply?.metadata).toMatchObject({ type: "error" });
  });

  it("gives up a message whose turn keeps taking the program down, not one that only waited", async () => {
    const started = new Set<string>();
    const journal = {
      find: (step: string) => (started.has(step) ? { state: "started" as const } : undefined),
      begin: (step: string) => Promise.resolve(void started.add(step)),
      record: () => Promise.resolve(),
    };
    const runAttempt = async (attempt: number): Promise<string | undefined> => {
      const { all, commits } = stages({ openJournal: () => Promise.resolve(journal) });
      await runTurn({ ...turn, attempt }, all, new AbortController().signal);
      return commits[0]?.reply?.content;
    };
    // It waited through eleven restarts, then it was under way in each of five.
    for (const attempt of [12, 13, 14, 15, 16]) expect(await runAttempt(attempt)).toBe("re: hi");
    expect(await runAttempt(17)).toMatch(/interrupted each time.*ref123/);
  });

  it("tells the person notices beside the answer, and keeps them out of the conversation", async () => {
    const { all, commits } = stages({ findNotices: () => Promise.resolve(["one", "two"]) });
    await run(all);
    expect(commits[0]?.reply?.content).toBe("re: hi\n\n(one\ntwo)");
    expect(commits[0]?.reply?.metadata).toMatchObject({ notice: "one\ntwo" });
    expect(JSON.stringify(commits[0]?.session)).not.toContain("two");
  });

  it("answers without notices that cannot be read", async () => {
    const findNotices = () => Promise.reject(new StoreError("STORE_FAILED", "no"));
    const { all, commits } = stages({ findNotices });
    await run(all);
    expect(commits[0]?.reply?.content).toBe("re: hi");
  });

  it("answers a slash command and carries its change of the session", async () => {
    const { all, commits } = stages({
      runCommand: () => ({
        text: "Done.",
        action: "clear",
        clearsSession: true,
        pinnedModel: undefined,
        signals: [],
        wants: undefined,
      }),
    });
    await run(all);
    expect(commits[0]).toMatchObject({
      reply: { content: "Done." },
      session: { cleared: true, appended: [] },
    });
  });
});

describe("a rejected answer", () => {
  const lastAnswer: AnswerRecord = {
    id: "t0",
    model: "p/m",
    task: "chat",
    features: "",
    tried: [],
    cause: "weight",
    reason: "",
    chosen: "p/m",
    inputTokens: 3,
    outputTokens: 2,
    cost: 0,
    messageCount: 2,
    isJudged: false,
  };
  const session: Session = {
    key: "c:room",
    pinnedModel: "",
    lastAnswer,
    messages: [
      { role: "user", content: "earlier" },
      { role: "assistant", content: "yes", toolCalls: [] },
      { role: "user", content: "what is it?" },
      { role: "assistant", content: "wrong", toolCalls: [] },
    ],
  };
  const signals = [{ answerId: "t0", accepted: false, weight: 1 }];
  const again = (text: string, more: Partial<TurnStages> = {}) => {
    const asked: unknown[] = [];
    const made = stages({
      loadSession: () => Promise.resolve(session),
      readIntent: () => ({
        kind: "again",
        text,
        isRephrased: false,
        model: "",
        rejected: lastAnswer,
        signals,
      }),
      rank: (question) =>
        Promise.resolve({
          ...question,
          route: { models: [model("p/n"), model("p/m")], cause: "escalation", reason: "" },
          task: "chat",
          features: "",
        }),
      ...more,
    });
    const { answer } = made.all;
    const all: TurnStages = {
      ...made.all,
      answer: (request) => {
        asked.push({ text: request.text, history: request.history.length });
        return answer(request);
      },
    };
    return { ...made, all, asked };
  };

  it("puts the same question to the next model, and the new answer takes its place", async () => {
    const { all, commits, asked } = again("");
    await run(all);
    expect(asked).toEqual([{ text: "what is it?", history: 2 }]);
    expect(commits[0]).toMatchObject({
      reply: { content: "re: what is it?" },
      session: {
        dropped: 2,
        appended: [
          { role: "user", content: "what is it?" },
          { role: "assistant", content: "re: what is it?" },
        ],
        lastAnswer: { id: "t1", tried: ["p/m"], cause: "escalation", messageCount: 2 },
      },
      signals,
    });
  });

  it("does not send another try through the preparers a second time", async () => {
    const { all, asked } = again("", {
      hasPreparers: true,
      prepare: () => Promise.reject(new Error("nothing new to prepare")),
    });
    await run(all);
    expect(asked).toHaveLength(1);
  });

  it("shows the next model what a correction corrects, and keeps both in one question", async () => {
    const { all, commits, asked } = again("no, the other one");
    await run(all);
    expect(asked).toEqual([{ text: "no, the other one", history: 4 }]);
    expect(commits[0]?.session).toMatchObject({
      dropped: 2,
      appended: [{ role: "user", content: "what is it?\n\nno, the other one" }, {}],
    });
  });

  it("keeps the rejected answer when no other one could be given", async () => {
    const error = new ProviderError("busy", { reason: "overloaded", model: "p/n" });
    const { all, commits } = again("");
    await run({
      ...all,
      answer: () => Promise.resolve({ outcome: { kind: "failed", error }, messages: [] }),
    });
    expect(commits[0]?.session).toMatchObject({
      appended: [],
      lastAnswer: { model: "p/m", messageCount: 2, chosen: "p/n", unanswered: "", isJudged: true },
    });
    expect(commits[0]?.session.dropped).toBeUndefined();
    expect(commits[0]?.signals).toEqual(signals);
  });

  it("is noted without a reply when nobody asked for another one", async () => {
    let judged = 0;
    const { all, commits } = again("", {
      readIntent: () => ({ kind: "note", signals }),
      onJudged: () => (judged += 1),
    });
    await run(all);
    expect(commits[0]).toMatchObject({
      reply: undefined,
      session: { appended: [], lastAnswer: { isJudged: true } },
      signals,
    });
    expect(judged).toBe(1);
  });

  it("leaves the newest answer as it is when another one was judged", async () => {
    const elsewhere = signals.map((signal) => ({ ...signal, answerId: "earlier" }));
    const { all, commits } = again("", {
      readIntent: () => Promise.resolve({ kind: "note", signals: elsewhere }),
    });
    await run(all);
    expect(commits[0]).toMatchObject({ reply: undefined, signals: elsewhere });
    expect(commits[0]?.session).toEqual({ appended: [], lastAnswer: undefined });
  });

  it("asks nobody when the wanted model is not known", async () => {
    const { all, commits } = stages({
      readIntent: () => ({ kind: "question", text: "hi", model: "nope", signals: [] }),
      hasModel: () => false,
      answer: () => Promise.reject(new Error("the model must not be asked")),
    });
    await run(all);
    expect(commits[0]?.reply?.content).toContain('no model "nope"');
    // The right name alone is enough to ask it then.
    expect(commits[0]?.session.lastAnswer).toMatchObject({ unanswered: "hi", messageCount: 0 });
  });

  it("says where a question has to be put again because nothing of it is in sight", async () => {
    const { all, commits } = again("", {
      readIntent: () => ({ kind: "note", signals, words: "Too far back." }),
      runCommand: () => ({ ...command, text: "", wants: "regenerate" }),
    });
    await run(all);
    expect(commits[0]?.reply?.content).toBe("Too far back.");
    const silent = again("", { readIntent: () => ({ kind: "note", signals: [] }) });
    await run({ ...silent.all, runCommand: () => ({ ...command, wants: "regenerate" }) });
    expect(silent.commits[0]?.reply).toBeUndefined();
  });
});

const command: CommandOutcome = {
  text: "",
  action: "retry",
  clearsSession: false,
  pinnedModel: undefined,
  signals: [],
  wants: undefined,
};

describe("a message that was not answered", () => {
  const failed = (text: string, more: Partial<TurnStages> = {}) => {
    const error = new ProviderError("busy", { reason: "overloaded", model: "p/m" });
    return stages({
      hasPreparers: true,
      prepare: (_turn, content) => Promise.resolve({ kind: "continue", content: `<${content}>` }),
      readIntent: () => ({ kind: "question", text, model: "", signals: [] }),
      answer: () => Promise.resolve({ outcome: { kind: "failed", error }, messages: [] }),
      ...more,
    });
  };

  it("is kept as it was written, because it passes the preparers when it is tried again", async () => {
    const { all, commits } = failed("hi");
    await run(all);
    expect(commits[0]?.session.lastAnswer).toMatchObject({ unanswered: "hi", isJudged: true });
  });

  it("is tried again with the names of the files that came along", async () => {
    const { all, commits } = failed("what is this?");
    const file = { name: "a.png", mimeType: "image/png", data: new Uint8Array(3) };
    const withFile = { ...turn, message: { ...message, files: [file] } };
    await runTurn(withFile, all, new AbortController().signal);
    const lost = { name: "a.png", mimeType: "image/png", size: 3 };
    expect(commits[0]?.session.lastAnswer?.unansweredFiles).toEqual([lost]);

    const files: unknown[] = [];
    const next = stages({
      readIntent: () => ({
        kind: "question",
        text: "what is this?",
        model: "",
        signals: [],
        lostFiles: [lost],
      }),
    });
    const { answer } = next.all;
    await run({ ...next.all, answer: (asked) => (files.push(...asked.files), answer(asked)) });
    expect(files).toEqual([lost]);
  });

  it("leaves no older answer that the next message would be about", async () => {
    for (const more of [
      { rank: () => Promise.reject(new Error("broken")) },
      { prepare: () => Promise.reject(new Error("broken")) },
      { format: () => Promise.reject(new Error("broken")), answer: stages().all.answer },
    ] satisfies Partial<TurnStages>[]) {
      const { all, commits } = failed("hi", more);
      await run(all);
      expect(commits[0]?.session).toEqual({ appended: [], lastAnswer: null });
    }
  });
});

describe("a turn that goes on after an interruption", () => {
  it("is led on by the model that began it, and says so", async () => {
    const begun = { ...reply("thinking"), model: "p/n" };
    const routes: string[][] = [];
    const { all, commits } = stages({
      openJournal: () =>
        Promise.resolve({
          find: (step) => (step === "model:1" ? { state: "recorded", value: begun } : undefined),
          begin: () => Promise.resolve(),
          record: () => Promise.resolve(),
        }),
    });
    const answer: TurnStages["answer"] = (request) => {
      routes.push(request.route.models.map(({ name }) => name));
      return all.answer({
        ...request,
        onReply: (given) => request.onReply({ ...given, model: "p/n" }),
      });
    };
    await runTurn({ ...turn, attempt: 2 }, { ...all, answer }, new AbortController().signal);
    expect(routes).toEqual([["p/n", "p/m"]]);
    expect(commits[0]?.session.lastAnswer).toMatchObject({ model: "p/n", chosen: "p/n" });
  });
});
