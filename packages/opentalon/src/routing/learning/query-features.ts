import { Buffer } from "node:buffer";
import { classifyTask, taskTypes, type TaskType } from "./classify-task.ts";

/** A question as the router sees it. */
export interface RouterQuery {
  readonly text: string;
  /** Number of tools offered to the model. */
  readonly toolCount: number;
  /** Number of messages so far, this one included. */
  readonly depth: number;
}

/** A question as a sparse vector. No language is favoured: shape, punctuation and hashed words, nothing by name. */
export interface QueryFeatures {
  readonly task: TaskType;
  /** Bucket of task and tools, for averages such as the cost of a call. */
  readonly costBucket: number;
  readonly indexes: readonly number[];
  readonly values: readonly number[];
}

const shapeCount = 16;
const keyCount = 256;
const wordCount = 1_024;
export const featureCount = shapeCount + keyCount + wordCount;
export const costBucketCount = 32;
/** Where the constant feature stands, which carries how good a model is on the whole. */
export const constantFeature = 0;

export type FeatureKind = "constant" | "shape" | "key" | "word";

export function toFeatureKind(index: number): FeatureKind {
  if (index === constantFeature) return "constant";
  if (index < shapeCount) return "shape";
  return index < shapeCount + keyCount ? "key" : "word";
}

/** What is read of a long message: its beginning tells what is asked. */
const readCharacters = 800;
const hashStart = 2_166_136_261;
const mix = (hash: number, code: number): number => Math.imul(hash ^ code, 16_777_619);
const finish = (hash: number): number => (hash ^ (hash >>> 15)) >>> 0;
const hashKey = (key: string): number => {
  let hash = hashStart;
  for (let at = 0; at < key.length; at++) hash = mix(hash, key.charCodeAt(at));
  return finish(hash);
};

type CharacterKind = "space" | "letter" | "digit" | "sign" | "ideograph";

const backslash = 92;
const isQuote = (code: number): boolean => code === 34 || code === 39 || code === 96;
const isOperator = (code: number): boolean =>
  code === 42 || code === 43 || code === 47 || code === 61 || code === 94;
const isBracket = (code: number): boolean =>
  code === 40 || code === 41 || code === 91 || code === 93 || code === 123 || code === 125;

function toKind(code: number): CharacterKind {
  if (code <= 32) return "space";
  if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90)) return "letter";
  if (code >= 48 && code <= 57) return "digit";
  if (code < 0xc0) return "sign";
  return code < 0x2e80 ? "letter" : "ideograph";
}

/** Turns a question into numbers; bounded in time whatever the length of the text. Never throws. */
export function toQueryFeatures({ text, toolCount, depth }: RouterQuery): QueryFeatures {
  const length = Math.min(text.length, readCharacters);
  const tools = Math.min(2, Math.max(0, Math.trunc(toolCount) || 0));
  // The same word weighs differently where tools are offered: it then names a call rather than a topic.
  const seed = hashStart ^ Math.imul(tools, 0x9e3779b1);
  const words: number[] = [];
  // Bits in plain numbers: a typed array of this size would be allocated outside of the heap for each question.
  const seen: number[] = Array.from({ length: wordCount / 32 }, () => 0);
  const count = {
    digits: 0,
    lines: 0,
    backslashes: 0,
    upper: 0,
    foreign: 0,
    operators: 0,
    quotes: 0,
    brackets: 0,
    commas: 0,
    questions: 0,
    signs: 0,
  };
  let hash = seed;
  let previous: CharacterKind = "space";
  const endWord = (): void => {
    if (hash === seed) return;
    const word = finish(hash) % wordCount;
    const bits = seen[word >>> 5] ?? 0;
    if ((bits & (1 << (word & 31))) === 0) words.push(word);
    seen[word >>> 5] = bits | (1 << (word & 31));
    hash = seed;
  };
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    const kind = toKind(code);
    if (kind !== previous || kind === "sign" || kind === "ideograph") endWord();
    previous = kind;
    if (kind === "space") {
      if (code === 10) count.lines++;
      continue;
    }
    const isUpper = code >= 65 && code <= 90;
    if (isUpper) count.upper++;
    if (code >= 0xc0) count.foreign++;
    if (kind === "digit") count.digits++;
    if (kind === "sign") {
      if (code === backslash) count.backslashes++;
      else if (isQuote(code)) count.quotes++;
      else if (code === 44) count.commas++;
      else if (code === 63) count.questions++;
      else if (isOperator(code)) count.operators++;
      else if (isBracket(code)) count.brackets++;
      else count.signs++;
    }
    // Numbers are alike but for their length; letters are alike in both cases.
    hash = mix(hash, kind === "digit" ? 48 : isUpper ? code + 32 : code);
  }
  endWord();

  const indexes: number[] = [];
  const values: number[] = [];
  const add = (index: number, value: number): void => {
    if (value === 0) return;
    indexes.push(index);
    values.push(value);
  };
  const logLength = Math.log1p(text.length);
  const share = (amount: number, scale: number): number =>
    Math.min(1, (scale * amount) / Math.max(1, length));
  [
    1,
    (logLength - 5.5) / 1.5,
    share(count.digits, 10),
    Math.min(1, count.lines / 10),
    share(count.backslashes, 20),
    share(count.upper, 10),
    share(count.foreign, 2),
    share(count.operators, 20),
    share(count.quotes, 20),
    share(count.brackets, 10),
    Math.min(1, count.commas / 10),
    Math.min(1, count.questions / 3),
    share(count.signs, 20),
    Math.log1p(Math.min(1_000, Math.max(0, (depth || 1) - 1))) / 3,
  ].forEach((value, index) => add(index, value));

  const task = classifyTask(text, depth);
  const size = Math.min(5, Math.max(0, Math.floor((logLength - 3.5) / 0.8)));
  const shape = [
    count.backslashes > 0,
    count.digits > 4,
    count.brackets > 6,
    Math.min(2, count.lines >> 1),
  ];
  const taskKey = `${task}|${tools}`;
  // From coarse to fine: each is learnt at its own pace.
  for (const key of [`${tools}`, taskKey, `${taskKey}|${size}`, `${tools}|${shape.join("|")}`])
    add(shapeCount + (hashKey(key) % keyCount), 1);

  const each = 1 / Math.sqrt(words.length || 1);
  for (const word of words) add(shapeCount + keyCount + word, each);
  return { task, costBucket: hashKey(taskKey) % costBucketCount, indexes, values };
}

/**
 * A question without its words, as text of at most 2 KB: hashed words cannot be told from others of the same hash.
 * A version, the task, the bucket, then for each feature its index and, where it differs from the last, its value.
 */
const encodingVersion = 1;
const headBytes = 3;
/** Stands before an index when a value follows it. */
const valueFlag = 0x8000;
const longestText = 2_048;
/** No feature is larger, however long a message. */
const mostValue = 16;

export function encodeFeatures({ task, costBucket, indexes, values }: QueryFeatures): string {
  const bytes = Buffer.alloc(headBytes + indexes.length * 6);
  bytes[0] = encodingVersion;
  bytes[1] = taskTypes.indexOf(task);
  bytes[2] = costBucket;
  let end = headBytes;
  let last: number | undefined;
  indexes.forEach((index, at) => {
    const value = Math.fround(values[at] ?? 0);
    end = bytes.writeUInt16LE(value === last ? index : index | valueFlag, end);
    if (value !== last) end = bytes.writeFloatLE(value, end);
    last = value;
  });
  return bytes.toString("base64url", 0, end);
}

/** Reads what `encodeFeatures` wrote; undefined for anything else. Never throws. */
export function decodeFeatures(text: string): QueryFeatures | undefined {
  if (text.length > longestText || !/^[\w-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text || bytes[0] !== encodingVersion) return undefined;
  const task = taskTypes[bytes[1] ?? -1];
  const costBucket = bytes[2] ?? costBucketCount;
  if (task === undefined || costBucket >= costBucketCount) return undefined;
  const indexes: number[] = [];
  const values: number[] = [];
  let last = Number.NaN;
  for (let at = headBytes; at < bytes.length;) {
    if (at + 2 > bytes.length) return undefined;
    const head = bytes.readUInt16LE(at);
    at += 2;
    if ((head & valueFlag) !== 0) {
      if (at + 4 > bytes.length) return undefined;
      last = bytes.readFloatLE(at);
      at += 4;
    }
    const index = head & ~valueFlag;
    if (index >= featureCount || !(Math.abs(last) <= mostValue)) return undefined;
    indexes.push(index);
    values.push(last);
  }
  return indexes.length === 0 ? undefined : { task, costBucket, indexes, values };
}
