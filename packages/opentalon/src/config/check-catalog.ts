import type { Config } from "./config-schema.ts";
import { findNearestName } from "./nearest-name.ts";
import { type ConfigProblem, type ConfigWarning, type Findings, toKeyPath } from "./problems.ts";

/** Names of models, weights and credentials that fit nothing: they would be taken, and have no or another effect. */
export function findCatalogProblems(config: Config, lineOf: (key: string) => number): Findings {
  const problems: ConfigProblem[] = [];
  const warnings: ConfigWarning[] = [];
  const warn = (key: string, message: string): void => {
    warnings.push({ level: "warn", line: lineOf(key), key, message });
  };
  const { routing, auth, models } = config;
  const names = Object.keys(models.providers);

  for (const [name, provider] of Object.entries(models.providers)) {
    for (const [at, { id }] of provider.models.entries()) {
      if (id !== "") continue;
      const key = `${toKeyPath(["models", "providers", name])}.models[${at}].id`;
      const message = "Expected the name that the provider knows the model by; found nothing.";
      problems.push({ line: lineOf(key), key, message });
    }
  }

  const byAlias = new Map<string, string>();
  for (const [name, { alias, weight }] of Object.entries(models.catalog)) {
    const key = toKeyPath(["models", "catalog", name]);
    const provider = name.slice(0, Math.max(0, name.indexOf("/")));
    if (weight > 100) {
      const message = `Expected a whole number from 0 to 100; found ${weight}.`;
      problems.push({ line: lineOf(`${key}.weight`), key: `${key}.weight`, message });
    }
    if (!names.includes(provider)) {
      const nearest = findNearestName(provider, names);
      const hint = nearest === undefined ? "" : ` Did you mean \`${nearest}\`?`;
      const why =
        provider === ""
          ? "Keys here are written as `provider/model`; without, a weight has no effect."
          : `There is no provider \`${provider}\` below models.providers.${hint}`;
      warn(key, why);
    }
    if (alias === "") continue;
    const taken = byAlias.get(alias);
    if (alias === "auto")
      warn(`${key}.alias`, "`/model auto` lets routing decide, so nobody reaches this alias.");
    else if (/\s/.test(alias))
      warn(`${key}.alias`, "`--model` in a message ends at a space. Choose an alias without one.");
    else if (taken !== undefined)
      warn(
        `${key}.alias`,
        `\`${alias}\` is the alias of ${taken} already; one of them is ignored.`,
      );
    byAlias.set(alias, name);
  }

  const named: [string, string][] = [
    ["routing.primary", routing.primary],
    ...routing.fallbacks.map((name, at): [string, string] => [`routing.fallbacks[${at}]`, name]),
    ...Object.entries(routing.pin).map(([task, name]): [string, string] => [
      toKeyPath(["routing", "pin", task]),
      name,
    ]),
    ...Object.keys(models.catalog).map((name): [string, string] => [
      toKeyPath(["models", "catalog", name]),
      name,
    ]),
  ];
  for (const [key, name] of named) {
    const meant = findMeantModel(name, config);
    if (meant !== undefined)
      warn(key, `${name} is not among the models of its provider. Did you mean \`${meant}\`?`);
  }

  for (const provider of Object.keys(auth.order)) {
    if (names.includes(provider)) continue;
    const message = `There is no provider \`${provider}\` below models.providers, so this has no effect.`;
    warn(toKeyPath(["auth", "order", provider]), message);
  }
  return { problems, warnings };
}

/**
 * The listed model that a name was most likely meant for. A model need not be listed to be used, so only what looks like a
 * slip of the pen counts: another version, which differs in digits, does not.
 */
function findMeantModel(name: string, { models: { providers } }: Config): string | undefined {
  const provider = name.slice(0, Math.max(0, name.indexOf("/")));
  const listed = Object.hasOwn(providers, provider) ? providers[provider]?.models : undefined;
  const ids = (listed ?? []).map(({ id }) => id);
  const id = name.slice(provider.length + 1);
  if (ids.includes(id)) return undefined;
  const nearest = findNearestName(id, ids);
  if (nearest === undefined || withoutDigits(nearest) === withoutDigits(id)) return undefined;
  return `${provider}/${nearest}`;
}

function withoutDigits(text: string): string {
  return text.replaceAll(/\d+/g, "");
}
