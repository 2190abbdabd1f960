/** What is used of the WebSocket library, which brings no types of its own. */
declare module "ws" {
  import type { IncomingMessage } from "node:http";
  import type { Duplex } from "node:stream";

  export interface SharedOptions {
    /** Bytes of one message, all its fragments together; a larger one ends the connection with 1009. */
    readonly maxPayload: number;
    readonly perMessageDeflate: false;
    /** How long the other side may take to answer a close, in milliseconds. */
    readonly closeTimeout: number;
  }

  export interface DialOptions extends SharedOptions {
    readonly headers: Readonly<Record<string, string>>;
    readonly handshakeTimeout: number;
    readonly followRedirects: false;
  }

  export class WebSocket {
    constructor(url: URL, options: DialOptions);
    readonly readyState: number;
    readonly bufferedAmount: number;
    send(text: string, done: (error?: Error | null) => void): void;
    ping(): void;
    pause(): void;
    resume(): void;
    close(code: number, reason: string): void;
    terminate(): void;
    on(event: "open" | "pong", listener: () => void): this;
    on(event: "error", listener: (error: Error) => void): this;
    on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): this;
    on(event: "close", listener: (code: number, reason: Buffer) => void): this;
    off(event: "error", listener: (error: Error) => void): this;
  }

  export interface ServerOptions extends SharedOptions {
    readonly noServer: true;
    readonly clientTracking: false;
  }

  export class WebSocketServer {
    constructor(options: ServerOptions);
    handleUpgrade(
      incoming: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      done: (socket: WebSocket) => void,
    ): void;
  }
}
