import { Agent, request } from "node:http";

export interface CallAnswer {
  readonly status: number;
  readonly text: string;
}

/** A platform that calls us, and calls again when nobody answered. */
export interface SteadyCaller extends Disposable {
  readonly post: (
    url: string,
    body: string | Buffer,
    headers: Readonly<Record<string, string>>,
  ) => Promise<CallAnswer>;
}

const againAfterMs = 10;

export function createSteadyCaller(): SteadyCaller {
  const agent = new Agent({ keepAlive: true });
  const postOnce = (
    url: string,
    body: string | Buffer,
    headers: Readonly<Record<string, string>>,
  ): Promise<CallAnswer | undefined> =>
    new Promise((resolve) => {
      const length = { "content-length": Buffer.byteLength(body) };
      const calling = request(
        url,
        { method: "POST", agent, headers: { ...headers, ...length } },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8").on("data", (part: string) => (text += part));
          answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
          answer.on("error", () => resolve(undefined));
        },
      );
      calling.on("error", () => resolve(undefined));
      calling.end(body);
    });
  return {
    post: async (url, body, headers) => {
      for (;;) {
        const answer = await postOnce(url, body, headers);
        if (answer !== undefined) return answer;
        await new Promise((resolve) => setTimeout(resolve, againAfterMs));
      }
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}
