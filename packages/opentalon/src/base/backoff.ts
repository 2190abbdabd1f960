export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly factor?: number;
  /** Share of the delay that is random, 0 to 1; 0 makes it exact. */
  readonly jitter?: number;
  readonly random?: () => number;
}

export interface Backoff {
  /** The delay before the next attempt, in milliseconds; grows with every call. */
  readonly nextMs: () => number;
  readonly reset: () => void;
}

/** Exponential backoff: `initialMs`, then times `factor` (2) up to `maxMs`. */
export function createBackoff(options: BackoffOptions): Backoff {
  const { initialMs, maxMs, factor = 2, jitter = 0, random = Math.random } = options;
  let attempt = 0;
  return {
    nextMs: () => {
      const exactMs = Math.min(maxMs, initialMs * factor ** attempt);
      if (exactMs < maxMs) attempt += 1;
      return Math.round(exactMs * (1 - jitter + jitter * random()));
    },
    reset: () => {
      attempt = 0;
    },
  };
}
