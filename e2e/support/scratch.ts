import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for one test, with a configuration in it; removed at the end. */
export interface Scratch extends Disposable {
  readonly folder: string;
  readonly stateFolder: string;
  /** Writes a configuration over a local model server, the console and a state folder of its own; gives its path. */
  readonly writeConfig: (modelUrl: string, config?: Readonly<Record<string, unknown>>) => string;
}

export const root = join(import.meta.dirname, "..", "..");

export function createScratch(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), "opentalon-e2e-"));
  const stateFolder = join(folder, "state");
  return {
    folder,
    stateFolder,
    writeConfig: (modelUrl, config = {}) => {
      const path = join(folder, "config.yaml");
      const whole = {
        models: { providers: { local: toLocalProvider(modelUrl) } },
        routing: { primary: "local/test-model" },
        channels: { console: { enabled: true, plugin: "console", config: {} } },
        state: { data_dir: stateFolder },
        ...config,
      };
      // JSON is YAML.
      writeFileSync(path, JSON.stringify(whole, null, 2));
      return path;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const testKey = "test-key-that-must-stay-secret";

export function toLocalProvider(modelUrl: string): Readonly<Record<string, unknown>> {
  return {
    base_url: modelUrl,
    api_key: testKey,
    models: [{ id: "test-model", features: ["tools"] }],
    retry: { max_attempts: 2, base_delay: "10ms" },
  };
}

/** The entry of a fake plugin, see `fake-plugin.ts`. */
export function fakePlugin(
  options: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const script = join(root, "packages/opentalon/src/plugins/testing/fake-plugin.ts");
  return { enabled: true, plugin: [process.execPath, script, JSON.stringify(options)] };
}

/** Entries of a configuration with one webhook channel, `web`, whose door takes any free port. */
export function webhookChannel(
  peerUrl: string,
  config: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return {
    channels: { web: { enabled: true, plugin: peerUrl, config } },
    server: { addr: "127.0.0.1:0" },
  };
}

/** What follows the title of a test that this machine cannot run; nothing when it can. */
export function toSkipNote(problem: string | undefined): string {
  return problem === undefined ? "" : `, skipped: ${problem}`;
}
