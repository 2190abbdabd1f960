/** One code point against a class of them. */
export type CharacterTest = (codePoint: number) => boolean;

export type RegexNode =
  | { readonly kind: "character"; readonly test: CharacterTest }
  | { readonly kind: "assertion"; readonly what: Assertion }
  | { readonly kind: "sequence"; readonly items: readonly RegexNode[] }
  | { readonly kind: "choice"; readonly options: readonly RegexNode[] }
  | {
      readonly kind: "repeat";
      readonly item: RegexNode;
      readonly least: number;
      /** `Infinity` where there is no bound. */
      readonly most: number;
      readonly isLazy: boolean;
    }
  | { readonly kind: "group"; readonly item: RegexNode; readonly index: number };

export type Assertion =
  | "text-start"
  | "text-end"
  | "line-start"
  | "line-end"
  | "boundary"
  | "no-boundary";

export interface ParsedRegex {
  readonly root: RegexNode;
  readonly groupCount: number;
  readonly groupNames: ReadonlyMap<string, number>;
}

/** The expression is none, or uses something RE2 does not know. */
export class RegexSyntaxError extends Error {}

interface ParsedItem {
  readonly node: RegexNode;
  /** What comes before it and is complete. */
  readonly before?: readonly RegexNode[];
}

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiLine: boolean;
  readonly dotAll: boolean;
  readonly swapGreed: boolean;
}

const maxRepeat = 1_000;
const maxDepth = 100;

/**
 * Parses RE2 syntax: what Go's `regexp` takes, without `\C`.
 * @throws RegexSyntaxError
 */
export function parseRegex(pattern: string): ParsedRegex {
  const characters = Array.from(pattern);
  const groupNames = new Map<string, number>();
  let groupCount = 0;
  let at = 0;
  let depth = 0;

  const peek = (ahead = 0): string | undefined => characters[at + ahead];
  const take = (): string => {
    const character = characters[at];
    if (character === undefined) throw new RegexSyntaxError("the expression ends too early");
    at += 1;
    return character;
  };
  const skip = (text: string): boolean => {
    if (characters.slice(at, at + text.length).join("") !== text) return false;
    at += text.length;
    return true;
  };
  const takeUntil = (end: string): string => {
    const close = characters.indexOf(end, at);
    if (close === -1) throw new RegexSyntaxError(`a ${end} is missing`);
    const text = characters.slice(at, close).join("");
    at = close + 1;
    return text;
  };

  const parseChoice = (given: Flags): RegexNode => {
    if ((depth += 1) > maxDepth) throw new RegexSyntaxError("groups are nested too deep");
    // Flags that are set in the middle hold until the end of the group.
    let flags = given;
    const options: RegexNode[] = [];
    let items: RegexNode[] = [];
    for (let next = peek(); next !== undefined && next !== ")"; next = peek()) {
      if (next === "|") {
        at += 1;
        options.push({ kind: "sequence", items });
        items = [];
        continue;
      }
      const parsed = parseItem(flags);
      if ("flags" in parsed) flags = parsed.flags;
      else {
        items.push(...(parsed.before ?? []));
        items.push(parseRepeats(parsed.node, flags));
      }
    }
    depth -= 1;
    options.push({ kind: "sequence", items });
    const [only] = options;
    return options.length === 1 && only !== undefined ? only : { kind: "choice", options };
  };

  const parseRepeats = (item: RegexNode, flags: Flags): RegexNode => {
    let node = item;
    let isRepeated = false;
    for (;;) {
      const bounds = parseBounds();
      if (bounds === undefined) return node;
      if (isRepeated) throw new RegexSyntaxError("a repetition follows a repetition");
      isRepeated = true;
      const isLazy = skip("?") !== flags.swapGreed;
      node = { kind: "repeat", item: node, ...bounds, isLazy };
    }
  };

  const parseBounds = (): { least: number; most: number } | undefined => {
    if (skip("*")) return { least: 0, most: Infinity };
    if (skip("+")) return { least: 1, most: Infinity };
    if (skip("?")) return { least: 0, most: 1 };
    const match = /^\{(\d{1,5})(?:(,)(\d{1,5})?)?\}/.exec(characters.slice(at, at + 14).join(""));
    if (match === null) return undefined;
    at += match[0].length;
    const least = Number(match[1]);
    const most =
      match[2] === undefined ? least : match[3] === undefined ? Infinity : Number(match[3]);
    if (least > maxRepeat || (most !== Infinity && most > maxRepeat) || most < least) {
      throw new RegexSyntaxError(`a repetition must count upwards and to ${maxRepeat} at most`);
    }
    return { least, most };
  };

  const parseItem = (flags: Flags): ParsedItem | { flags: Flags } => {
    const character = take();
    switch (character) {
      case "(":
        return parseGroup(flags);
      case "[":
        return toNode(withCase(parseClass(flags), flags));
      case ".":
        return toNode(flags.dotAll ? () => true : (code) => code !== 10);
      case "^":
        return toAssertion(flags.multiLine ? "line-start" : "text-start");
      case "$":
        return toAssertion(flags.multiLine ? "line-end" : "text-end");
      case "*":
      case "+":
      case "?":
        throw new RegexSyntaxError(`there is nothing to repeat before ${character}`);
      case "\\":
        return parseEscape(flags);
      default:
        return toNode(withCase(isCode(character.codePointAt(0) ?? 0), flags));
    }
  };

  const parseGroup = (flags: Flags): { node: RegexNode } | { flags: Flags } => {
    if (!skip("?")) return { node: captured(flags, "") };
    if (skip("P<") || (peek() === "<" && peek(1) !== "=" && peek(1) !== "!" && skip("<"))) {
      const name = takeUntil(">");
      if (!/^\w+$/.test(name)) throw new RegexSyntaxError("a group's name is a word");
      if (groupNames.has(name)) throw new RegexSyntaxError(`two groups are named ${name}`);
      return { node: captured(flags, name) };
    }
    const match = /^([imsU]*)(?:-([imsU]+))?([:)])/.exec(characters.slice(at, at + 12).join(""));
    if (match === null) {
      throw new RegexSyntaxError(
        "RE2 knows no look-ahead, look-behind or references: (?… is not supported",
      );
    }
    at += match[0].length;
    const [, on = "", off = "", end] = match;
    const inner = changeFlags(changeFlags(flags, on, true), off, false);
    if (end === ")") return { flags: inner };
    const node = parseChoice(inner);
    closeGroup();
    return { node };
  };

  const captured = (flags: Flags, name: string): RegexNode => {
    groupCount += 1;
    const index = groupCount;
    if (name !== "") groupNames.set(name, index);
    const item = parseChoice(flags);
    closeGroup();
    return { kind: "group", item, index };
  };

  const closeGroup = (): void => {
    if (!skip(")")) throw new RegexSyntaxError("a ) is missing");
  };

  const parseEscape = (flags: Flags): ParsedItem => {
    if (skip("Q")) {
      const rest = characters.slice(at).join("");
      const quoted = rest.split("\\E")[0] ?? "";
      at += Array.from(quoted).length;
      skip("\\E");
      const items = Array.from(quoted, (character): RegexNode => {
        const test = withCase(isCode(character.codePointAt(0) ?? 0), flags);
        return { kind: "character", test };
      });
      // What follows repeats the last character only.
      const last = items.pop() ?? { kind: "sequence", items: [] };
      return { node: last, before: items };
    }
    const next = peek() ?? "";
    const assertion = assertions[next];
    if (assertion !== undefined) {
      at += 1;
      return toAssertion(assertion);
    }
    return toNode(withCase(parseEscapedTest(), flags));
  };

  /** Behind a backslash: a class or one character. */
  const parseEscapedTest = (): CharacterTest => {
    const character = take();
    const known = perlClasses[character.toLowerCase()];
    if (known !== undefined && /[dwsDWS]/.test(character)) {
      return character === character.toLowerCase() ? known : (code) => !known(code);
    }
    if (character === "p" || character === "P") return parseProperty(character === "P");
    return isCode(parseEscapedCode(character));
  };

  const parseEscapedCode = (character: string): number => {
    const control = controls[character];
    if (control !== undefined) return control;
    if (character === "x") {
      const hex = skip("{") ? takeUntil("}") : take() + take();
      const code = /^[0-9a-f]{1,6}$/i.test(hex) ? Number.parseInt(hex, 16) : Infinity;
      if (code > 0x10ffff) throw new RegexSyntaxError(`\\x${hex} is no character`);
      return code;
    }
    if (character === "0") return 0;
    if (/[a-z0-9]/i.test(character)) {
      throw new RegexSyntaxError(`\\${character} is not supported`);
    }
    return character.codePointAt(0) ?? 0;
  };

  const parseProperty = (isNegated: boolean): CharacterTest => {
    const text = skip("{") ? takeUntil("}") : take();
    const isInverse = text.startsWith("^");
    const name = isInverse ? text.slice(1) : text;
    const test = createPropertyTest(name);
    return isNegated === isInverse ? test : (code) => !test(code);
  };

  const parseClass = (flags: Flags): CharacterTest => {
    const isNegated = skip("^");
    const tests: CharacterTest[] = [];
    for (let isFirst = true; isFirst || peek() !== "]"; isFirst = false) {
      const posix = /^\[:(\^?)(\w+):\]/.exec(characters.slice(at, at + 14).join(""));
      if (posix !== null) {
        at += posix[0].length;
        const test = posixClasses[posix[2] ?? ""];
        if (test === undefined) throw new RegexSyntaxError(`${posix[0]} is no class`);
        tests.push(posix[1] === "" ? test : (code) => !test(code));
        continue;
      }
      const low = parseClassMember();
      if (typeof low === "function") {
        tests.push(low);
        continue;
      }
      if (peek() === "-" && peek(1) !== "]" && peek(1) !== undefined) {
        at += 1;
        const high = parseClassMember();
        if (typeof high === "function" || high < low) {
          throw new RegexSyntaxError(
            "a range in [ ] must lead upwards from character to character",
          );
        }
        tests.push((code) => code >= low && code <= high);
      } else tests.push(isCode(low));
    }
    at += 1;
    const isMember: CharacterTest = (code) => tests.some((test) => test(code));
    if (!isNegated) return isMember;
    const inCase = withCase(isMember, flags);
    return (code) => !inCase(code);
  };

  const parseClassMember = (): number | CharacterTest => {
    const character = take();
    if (character !== "\\") return character.codePointAt(0) ?? 0;
    if (/[dwspDWSP]/.test(peek() ?? "")) return parseEscapedTest();
    return parseEscapedCode(take());
  };

  const root = parseChoice({
    ignoreCase: false,
    multiLine: false,
    dotAll: false,
    swapGreed: false,
  });
  if (at < characters.length) throw new RegexSyntaxError("a ) stands alone");
  return { root, groupCount, groupNames };
}

const assertions: Readonly<Record<string, Assertion>> = {
  A: "text-start",
  z: "text-end",
  b: "boundary",
  B: "no-boundary",
};

const controls: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

const inRanges =
  (...ranges: readonly (readonly [string, string])[]): CharacterTest =>
  (code) =>
    ranges.some(
      ([low, high]) => code >= (low.codePointAt(0) ?? 0) && code <= (high.codePointAt(0) ?? 0),
    );

/** Of ASCII alone, as RE2 has it. */
const perlClasses: Readonly<Record<string, CharacterTest>> = {
  d: inRanges(["0", "9"]),
  w: inRanges(["0", "9"], ["A", "Z"], ["_", "_"], ["a", "z"]),
  s: (code) => code === 32 || code === 9 || code === 10 || code === 12 || code === 13,
};

export const isWordCode: CharacterTest = inRanges(["0", "9"], ["A", "Z"], ["_", "_"], ["a", "z"]);

const posixClasses: Readonly<Record<string, CharacterTest>> = {
  alnum: inRanges(["0", "9"], ["A", "Z"], ["a", "z"]),
  alpha: inRanges(["A", "Z"], ["a", "z"]),
  ascii: (code) => code <= 0x7f,
  blank: (code) => code === 9 || code === 32,
  cntrl: (code) => code <= 0x1f || code === 0x7f,
  digit: inRanges(["0", "9"]),
  graph: inRanges(["!", "~"]),
  lower: inRanges(["a", "z"]),
  print: inRanges([" ", "~"]),
  punct: inRanges(["!", "/"], [":", "@"], ["[", "`"], ["{", "~"]),
  space: (code) => code === 32 || (code >= 9 && code <= 13),
  upper: inRanges(["A", "Z"]),
  word: isWordCode,
  xdigit: inRanges(["0", "9"], ["A", "F"], ["a", "f"]),
};

function createPropertyTest(name: string): CharacterTest {
  if (!/^\w{1,40}$/.test(name))
    throw new RegexSyntaxError("\\p takes the name of a category or a script");
  for (const property of [name, `Script=${name}`]) {
    try {
      const test = new RegExp(`^\\p{${property}}$`, "u");
      return (code) => test.test(String.fromCodePoint(code));
    } catch {
      // The other reading is tried.
    }
  }
  throw new RegexSyntaxError(`\\p{${name}} is no category and no script`);
}

function isCode(wanted: number): CharacterTest {
  return (code) => code === wanted;
}

function withCase(test: CharacterTest, { ignoreCase }: Flags): CharacterTest {
  if (!ignoreCase) return test;
  return (code) => {
    if (test(code)) return true;
    const text = String.fromCodePoint(code);
    return [text.toLowerCase(), text.toUpperCase()].some(
      (other) => other !== text && test(other.codePointAt(0) ?? 0),
    );
  };
}

function changeFlags(flags: Flags, names: string, isOn: boolean): Flags {
  return {
    ignoreCase: names.includes("i") ? isOn : flags.ignoreCase,
    multiLine: names.includes("m") ? isOn : flags.multiLine,
    dotAll: names.includes("s") ? isOn : flags.dotAll,
    swapGreed: names.includes("U") ? isOn : flags.swapGreed,
  };
}

function toNode(test: CharacterTest): { node: RegexNode } {
  return { node: { kind: "character", test } };
}

function toAssertion(what: Assertion): { node: RegexNode } {
  return { node: { kind: "assertion", what } };
}
