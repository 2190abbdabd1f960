const namespaces = new Set([
  "env",
  "self",
  "config",
  "event",
  "parent",
  "frame",
  "msg",
  "resolve",
  "enrich",
  "item",
  "file",
]);

/** Variables of the environment a definition asks for. */
export function findEnvironmentNames(text: string): readonly string[] {
  return [...text.matchAll(/\{\{env\.([^}]+)\}\}/g)].map(([, name = ""]) => name);
}

/** One line for every placeholder that cannot mean what its author meant. */
export function findOddPlaceholders(file: string, text: string): readonly string[] {
  const unknown = text
    .split("\n")
    .entries()
    .flatMap(([index, line]) =>
      [...line.matchAll(/\{\{(\w+)\.[^}]*\}\}/g)]
        .filter(([, namespace = ""]) => !namespaces.has(namespace))
        .map(
          ([whole]) => `${file}:${index + 1}: ${whole} is always empty: there is no such namespace`,
        ),
    );
  const spaced = text
    .split("\n")
    .flatMap((line, index) =>
      /\{\{\s+\w+\.|\{\{\w+\.\w+\s+\}\}/.test(line)
        ? [
            `${file}:${index + 1}: a placeholder with spaces in its braces is taken literally; write {{name.key}}`,
          ]
        : [],
    );
  return [...unknown, ...spaced];
}
