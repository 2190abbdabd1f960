import { parse } from "yaml";

/**
 * The values of a YAML or JSON text that is no configuration of this program.
 * @throws Error that says where it is wrong.
 */
export function readPlainYaml(text: string): unknown {
  return parse(text, { logLevel: "error", maxAliasCount: 100 });
}
