/** Long options with one dash, as the Go program takes them (`-config x`), read as their two-dash form. */
export function normaliseArguments(given: readonly string[]): string[] {
  return given.map((argument) => {
    const match = /^-(config|version|help)(=.*)?$/.exec(argument);
    return match === null ? argument : `-${argument}`;
  });
}
