/** A plugin for tests whose actions are those its configuration names, and none before it came. */
import type { AnyActionDefinition } from "../index.ts";
import { serveTool } from "../index.ts";

let names: readonly string[] = [];

const toAction = (name: string): AnyActionDefinition => ({
  description: "",
  parameters: {},
  run: () => `this is ${name}`,
});

await serveTool(() => ({
  name: "growing",
  description: "Grows",
  actions: Object.fromEntries(names.map((name) => [name, toAction(name)])),
  onConfigure: (config) => {
    if (Array.isArray(config["actions"])) names = config["actions"].map(String);
  },
  onStop: () => console.error("stopped in good order"),
}));
