import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A headless browser with one page. */
export interface Browser extends AsyncDisposable {
  readonly open: (url: string) => Promise<void>;
  /** Value of an expression in the page; it has to be JSON. */
  readonly evaluate: (expression: string) => Promise<unknown>;
  readonly show: (options: {
    readonly width: number;
    readonly height: number;
    readonly scheme: "light" | "dark";
  }) => Promise<void>;
  /** A picture of the page, as PNG. */
  readonly capture: () => Promise<Buffer>;
  /** What the page wrote on its console, and what its policy refused. */
  readonly complaints: readonly string[];
}

const programs = ["chromium", "chromium-browser", "google-chrome"];

/** Why there is no browser here; `undefined` when there is one. */
export function findBrowserProblem(): string | undefined {
  return findProgram() === undefined ? `none of ${programs.join(", ")} is installed` : undefined;
}

function findProgram(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(":");
  return programs
    .flatMap((program) => folders.map((folder) => join(folder, program)))
    .find((path) => existsSync(path));
}

/** Started with a profile of its own, and spoken to over its debugging port. */
export async function startBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "opentalon-browser-"));
  const child = spawn(
    findProgram() ?? "",
    [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      "about:blank",
    ],
    { stdio: "ignore" },
  );
  const exited = once(child, "exit");
  const port = await waitForPort(join(profile, "DevToolsActivePort"));
  const pages = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
    readonly type: string;
    readonly webSocketDebuggerUrl: string;
  }[];
  const page = pages.find(({ type }) => type === "page");
  const socket = new WebSocket(page?.webSocketDebuggerUrl ?? "");
  await once(socket, "open");
  const waiting = new Map<number, (result: Readonly<Record<string, unknown>>) => void>();
  const complaints: string[] = [];
  let count = 0;
  socket.addEventListener("message", ({ data }) => {
    const { id, result, method, params } = JSON.parse(String(data)) as {
      readonly id?: number;
      readonly result?: Readonly<Record<string, unknown>>;
      readonly method?: string;
      readonly params?: unknown;
    };
    if (id !== undefined) waiting.get(id)?.(result ?? {});
    if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") {
      complaints.push(JSON.stringify(params));
    }
  });
  const ask = (method: string, params: unknown = {}): Promise<Readonly<Record<string, unknown>>> =>
    new Promise((resolve) => {
      const id = (count += 1);
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ id, method, params }));
    });
  for (const domain of ["Page", "Runtime", "Log"]) await ask(`${domain}.enable`);
  return {
    complaints,
    open: async (url) => void (await ask("Page.navigate", { url })),
    evaluate: async (expression) => {
      const { result } = await ask("Runtime.evaluate", { expression, returnByValue: true });
      return (result as { readonly value?: unknown }).value;
    },
    show: async ({ width, height, scheme }) => {
      const size = { width, height, deviceScaleFactor: 1, mobile: width < 600 };
      await ask("Emulation.setDeviceMetricsOverride", size);
      const features = [{ name: "prefers-color-scheme", value: scheme }];
      await ask("Emulation.setEmulatedMedia", { features });
    },
    capture: async () => {
      const { data } = await ask("Page.captureScreenshot", { format: "png" });
      return Buffer.from(String(data), "base64");
    },
    [Symbol.asyncDispose]: async () => {
      socket.close();
      child.kill("SIGKILL");
      await exited;
      // Its helpers end a moment after it, and write until then.
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

async function waitForPort(file: string): Promise<string> {
  for (let tries = 0; tries < 600; tries += 1) {
    const [port = ""] = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    if (port !== "") return port;
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  }
  throw new Error("the browser did not start");
}
