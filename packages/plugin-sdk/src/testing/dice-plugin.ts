/** A plugin made with the SDK, for its tests. Prints where it should not, throws, waits, takes a configuration. */
import { serveTool } from "../index.ts";

console.log("before serving");
let greeting = "";

await serveTool({
  name: "dice",
  description: "Rolls dice",
  systemPromptAddition: "Never cheat.",
  web: (request, response) => {
    if (request.url === "/fail") throw new Error("no such page");
    response.end(`a page for ${request.url}`);
  },
  onConfigure: (config) => {
    if (config["fail"] === true) throw new Error("`fail` must not be true");
    greeting = typeof config["greeting"] === "string" ? config["greeting"] : "";
  },
  actions: {
    roll: {
      description: "Rolls a die",
      parameters: {
        sides: {
          type: "integer",
          description: "How many sides",
          schema: { type: "integer", minimum: 2 },
        },
        label: "What to call it",
        note: { description: "Anything", required: false },
      },
      readOnly: true,
      run: ({ sides, label, note }, { callId }) => {
        console.log("rolling");
        console.info("rolling");
        process.stdout.write("rolling\n");
        return `${label} ${sides + 1} ${note ?? "nothing"} ${callId}`;
      },
    },
    greet: {
      description: "Greets",
      parameters: {},
      userOnly: true,
      alwaysInclude: true,
      run: () => greeting,
    },
    structured: {
      description: "Gives data",
      parameters: {},
      run: async () => ({ content: "text", structured: { a: [1] } }),
    },
    who: {
      description: "Says who asks",
      parameters: {},
      contextArguments: ["entity_id"],
      run: (_args, { values, credentialHeaders }) =>
        JSON.stringify({ values, headers: credentialHeaders["jira"]?.header }),
    },
    fail: {
      description: "Fails",
      parameters: {},
      run: () => {
        throw new Error("the dice fell off the table");
      },
    },
    wrong: {
      description: "Gives nothing",
      parameters: {},
      run: () => undefined as unknown as string,
    },
    slow: {
      description: "Takes its time",
      parameters: {},
      run: () => new Promise<string>((resolve) => setTimeout(() => resolve("done"), 500)),
    },
    wait: {
      description: "Waits until the caller gives up",
      parameters: {},
      run: (_args, { signal }) =>
        new Promise<string>((resolve) =>
          signal.addEventListener("abort", () => (console.error("gave up"), resolve("")), {
            once: true,
          }),
        ),
    },
  },
});
