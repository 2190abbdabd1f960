import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Tool } from "@modelcontextprotocol/client";
import { isSpecType } from "@modelcontextprotocol/client";
import { isObject } from "./inline-references.ts";

/** What a server offered last, so that a server that is slow or away at the next start is known all the same. */
export interface CachedOffer {
  readonly tools: readonly Tool[];
  readonly hasResources: boolean;
  readonly hasPrompts: boolean;
}

export interface OfferCache {
  /** `undefined` when nothing is known, or nothing of the server that is configured now. */
  readonly read: () => CachedOffer | undefined;
  /** Never throws: what cannot be kept is asked for again. */
  readonly write: (offer: CachedOffer) => void;
}

const maxBytes = 4_194_304;

/** `place`: what the server is at; an offer of another place does not count. */
export function createOfferCache(path: string, place: string): OfferCache {
  let written = "";
  return {
    read: () => {
      try {
        if (statSync(path).size > maxBytes) return undefined;
        const kept: unknown = JSON.parse(readFileSync(path, "utf8"));
        if (!isObject(kept) || kept["place"] !== place || !Array.isArray(kept["tools"]))
          return undefined;
        return {
          tools: (kept["tools"] as readonly unknown[]).filter((tool) => isSpecType.Tool(tool)),
          hasResources: kept["hasResources"] === true,
          hasPrompts: kept["hasPrompts"] === true,
        };
      } catch {
        return undefined;
      }
    },
    write: ({ tools, hasResources, hasPrompts }) => {
      const text = JSON.stringify({ place, tools, hasResources, hasPrompts });
      if (text === written || Buffer.byteLength(text) > maxBytes) return;
      try {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
        writeFileSync(`${path}.new`, text, { mode: 0o600 });
        renameSync(`${path}.new`, path);
        written = text;
      } catch {
        // A disk that is full must not keep anybody from calling tools.
      }
    },
  };
}
