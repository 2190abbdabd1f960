/**
 * The thread of one script: a Lua VM that runs what it is sent, one request at a time. What the script asks of the program
 * goes to the main thread, while this one stands still until the answer is there.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { createLuaMachine } from "./lua-machine.ts";
import type { HostAnswer, LuaValue } from "./lua-value.ts";
import { flagSlot, lineSlot, type WorkerOptions, type WorkerRequest } from "./worker-messages.ts";

const { compiled, memoryBytes, environment, maxModelCalls, flags, replies } =
  workerData as WorkerOptions;
const port = parentPort;
if (port === null) throw new Error("this file is the code of a worker");

const maxLogLines = 50;
const maxLogLength = 2_000;
const maxStoreCalls = 200;
let counts = { log: 0, llm: 0, store: 0 };

function answerHostCall(name: string, values: readonly LuaValue[]): HostAnswer {
  if (name === "log") {
    counts.log += 1;
    const [level, text] = values.map((value) =>
      typeof value === "string" ? value.slice(0, maxLogLength) : "",
    );
    if (counts.log <= maxLogLines) port?.postMessage({ kind: "log", level, text });
    return { value: null };
  }
  if (name === "llm") {
    counts.llm += 1;
    if (counts.llm > maxModelCalls)
      return { problem: `ctx.llm: no more than ${maxModelCalls} calls are allowed` };
  } else {
    counts.store += 1;
    if (counts.store > maxStoreCalls)
      return { problem: `ctx.${name}: no more than ${maxStoreCalls} calls are allowed` };
  }
  port?.postMessage({ kind: "host", name, values });
  Atomics.wait(flags, flagSlot, 0);
  Atomics.store(flags, flagSlot, 0);
  const answered = receiveMessageOnPort(replies)?.message as HostAnswer | undefined;
  return answered ?? { problem: `ctx.${name}: no answer` };
}

const machine = createLuaMachine({
  compiled,
  memoryBytes,
  environment,
  onHostCall: answerHostCall,
  onLine: (line) => Atomics.store(flags, lineSlot, line),
});

port.on("message", (request: WorkerRequest) => {
  counts = { log: 0, llm: 0, store: 0 };
  Atomics.store(flags, lineSlot, 0);
  const outcome =
    request.kind === "load"
      ? machine.load(request.source, request.name)
      : machine.run(request.stage, request.context);
  port.postMessage({ kind: "outcome", outcome, memoryBytes: machine.memoryBytes() });
});
port.postMessage({ kind: "ready" });
