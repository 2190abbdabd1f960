export interface OllamaProbeOptions {
  readonly baseUrl?: string;
  readonly timeoutMs?: number;
}

export const ollamaBaseUrl = "http://127.0.0.1:11434";

const maxBodyBytes = 1024 * 1024;
const maxModels = 100;

/** Names of the models an Ollama on this machine offers; empty when there is none. Never rejects. */
export async function probeOllama(options: OllamaProbeOptions = {}): Promise<readonly string[]> {
  const { baseUrl = ollamaBaseUrl, timeoutMs = 300 } = options;
  try {
    return parseModelNames(await fetchText(`${baseUrl.replace(/\/+$/, "")}/api/tags`, timeoutMs));
  } catch {
    return [];
  }
}

async function fetchText(url: string, timeoutMs: number): Promise<string> {
  const { get } = await import("node:http");
  return new Promise((resolve, reject) => {
    const request = get(
      url,
      { agent: false, signal: AbortSignal.timeout(timeoutMs) },
      (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on("data", (part: Buffer) => {
          size += part.length;
          if (size > maxBodyBytes) request.destroy(new Error("the list of models is too long"));
          else parts.push(part);
        });
        response.once("end", () => {
          if (response.statusCode === 200) resolve(Buffer.concat(parts).toString("utf8"));
          else reject(new Error(`status ${response.statusCode ?? 0}`));
        });
        response.once("error", reject);
      },
    );
    request.once("error", reject);
  });
}

function parseModelNames(text: string): string[] {
  const { models } = JSON.parse(text) as { models?: unknown };
  if (!Array.isArray(models)) return [];
  const names = models.map((model) => (model as { name?: unknown } | null)?.name);
  return names
    .filter((name) => typeof name === "string" && name !== "")
    .slice(0, maxModels) as string[];
}
