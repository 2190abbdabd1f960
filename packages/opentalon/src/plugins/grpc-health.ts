import type { MethodDefinition } from "@grpc/grpc-js";
import { BinaryReader } from "@bufbuild/protobuf/wire";

/** What a server says of itself. */
export type ServingStatus = "serving" | "not-serving" | "unknown";

/**
 * `Check` of the health service that gRPC servers share, for the server as a whole. The request is a message with an
 * empty name and the answer one number, so they are read and written here.
 */
export const healthCheckMethod: MethodDefinition<undefined, ServingStatus> = {
  path: "/grpc.health.v1.Health/Check",
  requestStream: false,
  responseStream: false,
  requestSerialize: () => Buffer.alloc(0),
  requestDeserialize: () => undefined,
  responseSerialize: (status) => Buffer.from([8, numbers[status]]),
  responseDeserialize: (bytes) => {
    const reader = new BinaryReader(bytes);
    let number = 0;
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1) number = reader.int32();
      else reader.skip(type, field);
    }
    if (number === numbers.serving) return "serving";
    return number === numbers["not-serving"] ? "not-serving" : "unknown";
  },
};

const numbers = { unknown: 0, serving: 1, "not-serving": 2 } as const;
