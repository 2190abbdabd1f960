import { type Tool, toToolName } from "../../domain/tool.ts";
import { findToolsName, loadToolsName } from "./meta-tools.ts";
import { toSummary } from "./to-summary.ts";

const head = `More tools exist than you are shown. To use one of those below, first call ${loadToolsName} with its full name (several names with commas); from your next step on you can call it. ${findToolsName} searches them by words.`;

/** Room in the prompt, however many tools there are. */
const maxLength = 8_000;

/** The part of a prompt that tells of tools a model has not loaded: as much of each as there is room for. */
export function describeCatalogue(tools: readonly Tool[]): string {
  if (tools.length === 0) return "";
  const byPlugin = Map.groupBy(tools, ({ plugin }) => plugin);
  const lines =
    within(tools.map((tool) => `- ${toToolName(tool)}: ${toSummary(tool)}`)) ??
    within([...byPlugin.values()].map((actions) => `- ${actions.map(toToolName).join(", ")}`)) ??
    cutLines(
      [...byPlugin].map(
        ([plugin, actions]) =>
          `- ${plugin}: ${actions.length} tools named ${toToolName({ plugin, action: "…" })}`,
      ),
    );
  return `${head}\n${lines.join("\n")}`;
}

function within(lines: readonly string[]): readonly string[] | undefined {
  const length = lines.reduce((sum, line) => sum + line.length + 1, 0);
  return length <= maxLength ? lines : undefined;
}

function cutLines(lines: readonly string[]): readonly string[] {
  const shown: string[] = [];
  let length = 0;
  for (const line of lines) {
    length += line.length + 1;
    if (length > maxLength) break;
    shown.push(line);
  }
  const left = lines.length - shown.length;
  return left === 0 ? shown : [...shown, `- and ${left} more plugins`];
}
