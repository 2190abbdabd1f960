/**
 * What waits for an answer, by identifier, with the bytes it takes. Kept in memory by whoever accepts and answers:
 * counting rows would cost more than writing one.
 */
export interface Unanswered {
  readonly add: (id: string, bytes: number) => void;
  readonly delete: (id: string) => void;
  readonly count: () => number;
  readonly bytes: () => number;
}

export function createUnanswered(): Unanswered {
  const bytesById = new Map<string, number>();
  let total = 0;
  const remove = (id: string): void => {
    total -= bytesById.get(id) ?? 0;
    bytesById.delete(id);
  };
  return {
    add: (id, bytes) => {
      remove(id);
      bytesById.set(id, bytes);
      total += bytes;
    },
    delete: remove,
    count: () => bytesById.size,
    bytes: () => total,
  };
}
