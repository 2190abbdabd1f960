/** Largest gRPC message taken, in bytes, unless the environment says otherwise: 32 MiB. */
export const defaultMessageLimitBytes = 32 * 1_024 * 1_024;

/** Name of the environment variable that changes the limit, on both ends. */
export const messageLimitVariable = "OPENTALON_GRPC_MAX_MSG_BYTES";

/**
 * Reads the value of `OPENTALON_GRPC_MAX_MSG_BYTES`: a positive whole number of bytes. With `problem` set, the value
 * made no sense and the default stands.
 */
export function parseMessageLimit(value: string | undefined): {
  readonly bytes: number;
  readonly problem: string;
} {
  if (value === undefined || value.trim() === "")
    return { bytes: defaultMessageLimitBytes, problem: "" };
  const bytes = /^\d{1,10}$/.test(value.trim()) ? Number(value) : 0;
  if (bytes >= 1 && bytes <= 2 ** 31 - 1) return { bytes, problem: "" };
  const problem = `${messageLimitVariable} is not a number of bytes between 1 and 2147483647; ${defaultMessageLimitBytes} is used`;
  return { bytes: defaultMessageLimitBytes, problem };
}
