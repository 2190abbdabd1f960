import { createInterface } from "node:readline";
import {
  createLearningRouter,
  type LearningRouter,
} from "../../packages/opentalon/src/routing/learning/learning-router.ts";
import {
  toQueryFeatures,
  type QueryFeatures,
} from "../../packages/opentalon/src/routing/learning/query-features.ts";

/** Lets a simulator talk to the product's own router over JSON lines, with the product's own defaults. */
type Request =
  | {
      readonly t: "init";
      readonly models: readonly {
        readonly id: string;
        readonly weight: number;
        readonly avgCost?: number;
      }[];
    }
  | { readonly t: "route"; readonly text: string; readonly ntools: number; readonly depth: number }
  | {
      readonly t: "feedback";
      readonly model: string;
      readonly signal: "accepted" | "rejected";
      readonly cost: number;
    }
  | { readonly t: "end" };

const answer = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

let router: LearningRouter | undefined;
let features: QueryFeatures = toQueryFeatures({ text: "", toolCount: 0, depth: 1 });
let tried: string[] = [];

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  if (request.t === "end") break;
  if (request.t === "init") {
    router = createLearningRouter({
      models: request.models.map(({ id, weight, avgCost }) => ({
        name: id,
        weight,
        cost: avgCost,
      })),
      random: Math.random,
      now: Date.now,
    });
    continue;
  }
  if (router === undefined) throw new Error("the first line must be of type `init`");
  if (request.t === "route") {
    features = toQueryFeatures({
      text: request.text,
      toolCount: request.ntools,
      depth: request.depth,
    });
    tried = [];
    answer({ model: router.decide(features).model });
    continue;
  }
  const accepted = request.signal === "accepted";
  router.learn({ features, model: request.model, tried, accepted, cost: request.cost });
  if (accepted) continue;
  tried = [...tried, request.model];
  answer({ next: router.next(features, tried) ?? null });
}
