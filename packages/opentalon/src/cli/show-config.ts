import { load } from "./load.ts";

/** `opentalon config check`: exit code 0 when the file is fine, warnings on standard error. */
export async function checkConfig(path: string): Promise<number> {
  const loaded = await load(path);
  if (loaded === undefined) return 1;
  for (const { message } of loaded.warnings) process.stderr.write(`warning: ${message}\n`);
  process.stdout.write(`${loaded.path} is fine\n`);
  return 0;
}

/** `opentalon config show`. */
export async function showConfig(path: string): Promise<number> {
  const loaded = await load(path);
  if (loaded === undefined) return 1;
  process.stdout.write(loaded.toRedactedYaml());
  return 0;
}
