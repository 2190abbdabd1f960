/** Identifiers of Discord: 64 bits as decimal text, the upper 42 of them milliseconds since 2015. */

const epochMs = 1_420_070_400_000;

export function isSnowflake(text: string): boolean {
  return /^[1-9]\d{14,19}$/.test(text);
}

/** Whether the first one was made later. */
export function isNewer(id: string, than: string): boolean {
  return id.length === than.length ? id > than : id.length > than.length;
}

export function toTimeMs(id: string): number {
  return Number(BigInt(id) >> 22n) + epochMs;
}

/** The lowest identifier of a moment. */
export function toSnowflake(timeMs: number): string {
  return String(BigInt(Math.max(0, Math.floor(timeMs) - epochMs)) << 22n);
}
