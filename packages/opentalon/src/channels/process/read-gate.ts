import { InterceptingCall, type Interceptor } from "@grpc/grpc-js";

/** Decides when the next message of a stream is read at all: the library alone would read sixteen ahead, of any size. */
export interface ReadGate {
  /** For a client with one streaming call at a time. */
  readonly interceptor: Interceptor;
  readonly close: () => void;
  readonly open: () => void;
}

export function createReadGate(): ReadGate {
  let isClosed = false;
  let waiting: (() => void) | undefined;
  return {
    interceptor: (options, nextCall) => {
      const call = new InterceptingCall(nextCall(options));
      const read = call.startRead.bind(call);
      call.startRead = () => {
        if (isClosed) waiting = read;
        else read();
      };
      return call;
    },
    close: () => {
      isClosed = true;
    },
    open: () => {
      isClosed = false;
      const read = waiting;
      waiting = undefined;
      read?.();
    },
  };
}
