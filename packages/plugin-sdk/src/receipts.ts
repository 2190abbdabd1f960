/** Who waits for the acknowledgement of which message. */
export interface Receipts {
  /** A new receipt, and whether it came to be acknowledged. */
  readonly issue: () => { readonly receipt: string; readonly isAcknowledged: Promise<boolean> };
  readonly acknowledge: (receipt: string) => void;
  /** What is not acknowledged by now will not be. */
  readonly giveUp: () => void;
}

export function createReceipts(): Receipts {
  const waiting = new Map<string, (isAcknowledged: boolean) => void>();
  let count = 0;
  return {
    issue: () => {
      const receipt = String((count += 1));
      return { receipt, isAcknowledged: new Promise((resolve) => waiting.set(receipt, resolve)) };
    },
    acknowledge: (receipt) => {
      waiting.get(receipt)?.(true);
      waiting.delete(receipt);
    },
    giveUp: () => {
      for (const tell of waiting.values()) tell(false);
      waiting.clear();
    },
  };
}
