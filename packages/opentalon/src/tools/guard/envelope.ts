import { cleanText } from "./clean-text.ts";
import { neutralise } from "./neutralise.ts";

export interface EnvelopeOptions {
  /** Cryptographically strong bytes, as `randomBytes` of `node:crypto` gives them. */
  readonly random: (byteCount: number) => Uint8Array;
}

/** What marks a tool's words as data for the model. One per turn: its boundary must not be known to any plugin. */
export interface Envelope {
  /**
   * Puts the content of a guarded result between `[plugin_output <boundary>]` and `[/plugin_output <boundary>]`, with a
   * boundary that is a secret of this turn.
   * Whatever `content` is, the result holds exactly one opening and one closing marker, at its ends.
   */
  readonly wrap: (content: string) => string;
}

/** A turn wraps the same results again for each question to the model. */
const maxRemembered = 64;

export function createEnvelope({ random }: EnvelopeOptions): Envelope {
  const boundary = Buffer.from(random(8)).toString("hex");
  const remembered = new Map<string, string>();
  const wrap = (content: string): string => {
    // Guarded text passes unchanged; what came another way (an old journal, an old database) is held to the same.
    const safe = neutralise(cleanText(content)).replaceAll(boundary, "(boundary)");
    return `[plugin_output ${boundary}]\n${safe}\n[/plugin_output ${boundary}]`;
  };
  return {
    wrap: (content) => {
      const known = remembered.get(content);
      if (known !== undefined) return known;
      const wrapped = wrap(content);
      if (remembered.size < maxRemembered) remembered.set(content, wrapped);
      return wrapped;
    },
  };
}
