import { describe, expect, it } from "vitest";
import {
  findCgroupProblem,
  findWatchProblem,
  listCgroupsOf,
} from "../packages/opentalon/src/plugins/testing/fence-support.ts";
import {
  createModelServer,
  type ModelServer,
  type ScriptedReply,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { isRunning, readPluginPids } from "./support/processes.ts";
import { createScratch, fakePlugin, toSkipNote } from "./support/scratch.ts";

const patient = { timeout: 30_000 };

const call = (name: string): ScriptedReply => ({
  kind: "message",
  toolCalls: [{ name, arguments: { text: "hi" } }],
});
const say = (text: string): ScriptedReply => ({ kind: "message", text });

/** Results the model was told, in order. */
const toolResults = ({ requests }: ModelServer): readonly string[] =>
  requests.flatMap(({ body }) => {
    const last = body.messages?.at(-1);
    return last?.role === "tool" ? [last.content ?? ""] : [];
  });

describe("when the core is killed with SIGKILL, a process of a plugin", () => {
  const title = "is killed as well";
  const ways = [
    { name: "in a session of its own", action: "attack-daemon", problem: findWatchProblem() },
    {
      name: "that has emptied its environment, too,",
      action: "attack-daemon-without-environment",
      problem: findCgroupProblem(),
    },
  ];
  for (const { name, action, problem } of ways)
    it.skipIf(problem !== undefined)(`${name} ${title}${toSkipNote(problem)}`, async () => {
      using scratch = createScratch();
      const journal = `${scratch.folder}/journal`;
      await using models = await createModelServer([call(`fake__${action}`), say("done")]);
      const plugins = { fake: fakePlugin({ actions: [action], journal }) };
      const configPath = scratch.writeConfig(models.url, { plugins });
      await using core = startCore({ configPath });
      core.write("go\n");
      await expect.poll(core.output, patient).toBe("done\n");
      const [result = ""] = toolResults(models);
      const daemon = Number(/^\d+$/m.exec(result)?.[0]);
      const pids = [...readPluginPids(journal), daemon];
      expect(pids.map(isRunning)).toEqual([true, true]);
      core.signal("SIGKILL");
      await expect.poll(() => pids.filter(isRunning), patient).toEqual([]);
      await expect.poll(() => listCgroupsOf(core.pid), patient).toEqual([]);
    });
});

describe("a plugin that takes more than it may", () => {
  const problem = findWatchProblem();
  const title = "is ended, and the model and the operator are told why";
  it.skipIf(problem !== undefined)(`${title}${toSkipNote(problem)}`, async () => {
    using scratch = createScratch();
    await using models = await createModelServer([
      call("greedy__attack-memory"),
      call("fake__structured"),
      say("done"),
    ]);
    const greedy = fakePlugin({ name: "greedy", actions: ["attack-memory"] });
    const configPath = scratch.writeConfig(models.url, {
      plugins: { greedy: { ...greedy, limits: { memory_mb: 128 } }, fake: fakePlugin() },
    });
    await using core = startCore({ configPath });
    core.write("go\n");
    await expect.poll(core.output, patient).toBe("done\n");
    const words = "used more than 128 MiB of memory (limits.memory_mb)";
    const [failed, next] = toolResults(models);
    expect(failed).toContain(words);
    expect(next).toContain('{"a":1}');
    const lost = core.log.find(({ msg }) => msg === "Plugin lost");
    expect(lost).toMatchObject({ plugin: "greedy" });
    expect(lost?.["problem"]).toContain(words);
    core.end();
    expect(await core.exited).toBe(0);
  });
});
