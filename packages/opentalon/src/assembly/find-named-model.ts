import { ConfigError } from "../base/errors.ts";
import type { Model } from "../domain/model.ts";
import type { Router } from "../routing/router.ts";

const mostNames = 30;

/**
 * The model that `--model` names on the command line.
 * @throws ConfigError when there is none; it lists those there are.
 */
export function findNamedModel(router: Pick<Router, "resolve" | "models">, name: string): Model {
  const model = router.resolve(name);
  if (model !== undefined) return model;
  const known = router.models().map((each) => each.name);
  const more = known.length > mostNames ? `\n  and ${known.length - mostNames} more` : "";
  const list = known.slice(0, mostNames).map((each) => `\n  ${each}`);
  throw new ConfigError(
    "CONFIG_INVALID",
    `there is no model "${name}", which --model names. There are:${list.join("")}${more}`,
  );
}
