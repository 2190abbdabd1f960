import {
  type Assertion,
  type CharacterTest,
  isWordCode,
  parseRegex,
  type RegexNode,
  RegexSyntaxError,
} from "./parse-regex.ts";

/**
 * A regular expression whose time grows with the text and never explodes, whatever expression and text are: all ways to
 * match are followed at once. Of two matches that begin at one place the one counts that RE2 and Perl would find.
 */
export interface LinearRegex {
  readonly source: string;
  readonly test: (text: string) => boolean;
  /**
   * Replaces every match; `$1`, `${1}` and `${name}` in `replacement` stand for groups, `$$` for a dollar.
   * @throws RangeError when the text is too long for the expression.
   */
  readonly replaceAll: (text: string, replacement: string) => string;
}

type Instruction =
  | { readonly kind: "character"; readonly test: CharacterTest }
  | { readonly kind: "assertion"; readonly what: Assertion }
  /** The first way is preferred. */
  | { readonly kind: "split"; first: number; second: number }
  | { readonly kind: "jump"; to: number }
  | { readonly kind: "save"; readonly slot: number }
  | { readonly kind: "match" };

const maxInstructions = 5_000;
/** Steps of one call: some tenths of a second. */
const maxSteps = 2_000_000;

/** @throws RegexSyntaxError when `source` is no RE2 expression, or a very large one. */
export function createLinearRegex(source: string): LinearRegex {
  const { root, groupCount, groupNames } = parseRegex(source);
  const program: Instruction[] = [];
  const add = (instruction: Instruction): number => {
    if (program.length >= maxInstructions)
      throw new RegexSyntaxError("the expression is too large");
    return program.push(instruction) - 1;
  };
  compile(root, add, () => program.length);
  add({ kind: "match" });
  const slotCount = 2 * (groupCount + 1);

  const search = createSearch(program, slotCount);
  return {
    source,
    test: (text) => search(Array.from(text, toCode), 0, { left: maxSteps }) !== undefined,
    replaceAll: (text, replacement) => {
      const characters = Array.from(text);
      const codes = characters.map(toCode);
      const budget = { left: maxSteps };
      let result = "";
      let at = 0;
      let lastEnd = -1;
      while (at <= codes.length) {
        const found = search(codes, at, budget);
        if (found === undefined) break;
        const [start = 0, end = 0] = found;
        result += characters.slice(at, start).join("");
        // An empty match right behind another one does not count.
        if (end > start || start !== lastEnd) {
          result += expand(replacement, groupNames, (index) => {
            const from = found[2 * index] ?? -1;
            return from < 0 ? "" : characters.slice(from, found[2 * index + 1]).join("");
          });
        }
        lastEnd = end;
        if (end > start) at = end;
        else {
          result += characters[end] ?? "";
          at = end + 1;
        }
      }
      return result + characters.slice(at).join("");
    },
  };
}

function toCode(character: string): number {
  return character.codePointAt(0) ?? 0;
}

function compile(
  node: RegexNode,
  add: (instruction: Instruction) => number,
  next: () => number,
): void {
  const inner = (item: RegexNode): void => compile(item, add, next);
  switch (node.kind) {
    case "character":
    case "assertion":
      add(node);
      return;
    case "sequence":
      for (const item of node.items) inner(item);
      return;
    case "group": {
      add({ kind: "save", slot: 2 * node.index });
      inner(node.item);
      add({ kind: "save", slot: 2 * node.index + 1 });
      return;
    }
    case "choice": {
      const ends: { to: number }[] = [];
      for (const [index, option] of node.options.entries()) {
        if (index === node.options.length - 1) inner(option);
        else {
          const split = { kind: "split" as const, first: 0, second: 0 };
          add(split);
          split.first = next();
          inner(option);
          const jump = { kind: "jump" as const, to: 0 };
          add(jump);
          ends.push(jump);
          split.second = next();
        }
      }
      for (const jump of ends) jump.to = next();
      return;
    }
    case "repeat": {
      const { item, least, most, isLazy } = node;
      for (let count = 0; count < least; count += 1) inner(item);
      if (most === Infinity) {
        const split = { kind: "split" as const, first: 0, second: 0 };
        const start = add(split);
        inner(item);
        add({ kind: "jump", to: start });
        setWays(split, start + 1, next(), isLazy);
        return;
      }
      const splits: { split: { first: number; second: number }; body: number }[] = [];
      for (let count = least; count < most; count += 1) {
        const split = { kind: "split" as const, first: 0, second: 0 };
        splits.push({ split, body: add(split) + 1 });
        inner(item);
      }
      for (const { split, body } of splits) setWays(split, body, next(), isLazy);
    }
  }
}

function setWays(
  split: { first: number; second: number },
  body: number,
  after: number,
  isLazy: boolean,
): void {
  split.first = isLazy ? after : body;
  split.second = isLazy ? body : after;
}

interface Thread {
  readonly at: number;
  readonly slots: readonly number[];
}

/** Finds the first match from a place on, as places of its groups: start, end, start, end, … */
function createSearch(program: readonly Instruction[], slotCount: number) {
  /** By instruction, where it was last reached: one search after another counts on. */
  const seen = new Float64Array(program.length).fill(-1);
  let counted = 0;
  const noSlots = Array.from({ length: slotCount }, () => -1);
  return (
    codes: readonly number[],
    from: number,
    budget: { left: number },
  ): readonly number[] | undefined => {
    let current: Thread[] = [];
    let best: readonly number[] | undefined;
    const base = counted;
    counted += codes.length + 2;

    /** Follows what needs no character, preferred ways first. */
    const follow = (
      threads: Thread[],
      start: number,
      slots: readonly number[],
      place: number,
    ): void => {
      const stack: Thread[] = [{ at: start, slots }];
      for (let thread = stack.pop(); thread !== undefined; thread = stack.pop()) {
        const instruction = program[thread.at];
        if (instruction === undefined || seen[thread.at] === base + place) continue;
        seen[thread.at] = base + place;
        if ((budget.left -= 1) < 0) throw new RangeError("the text is too long for the expression");
        switch (instruction.kind) {
          case "jump":
            stack.push({ at: instruction.to, slots: thread.slots });
            break;
          case "split":
            stack.push({ at: instruction.second, slots: thread.slots });
            stack.push({ at: instruction.first, slots: thread.slots });
            break;
          case "save":
            stack.push({ at: thread.at + 1, slots: thread.slots.with(instruction.slot, place) });
            break;
          case "assertion":
            if (holds(instruction.what, codes, place)) {
              stack.push({ at: thread.at + 1, slots: thread.slots });
            }
            break;
          case "character":
          case "match":
            threads.push(thread);
        }
      }
    };

    for (let place = from; place <= codes.length; place += 1) {
      if (best === undefined) follow(current, 0, noSlots.with(0, place), place);
      if (current.length === 0 && best !== undefined) break;
      const next: Thread[] = [];
      const code = codes[place];
      for (const thread of current) {
        const instruction = program[thread.at];
        if (instruction?.kind === "match") {
          best = thread.slots.with(1, place);
          // What comes later is less preferred.
          break;
        }
        if (instruction?.kind !== "character" || code === undefined) continue;
        if ((budget.left -= 1) < 0) throw new RangeError("the text is too long for the expression");
        if (instruction.test(code)) follow(next, thread.at + 1, thread.slots, place + 1);
      }
      current = next;
    }
    return best;
  };
}

function holds(what: Assertion, codes: readonly number[], place: number): boolean {
  const before = codes[place - 1];
  const after = codes[place];
  switch (what) {
    case "text-start":
      return before === undefined;
    case "text-end":
      return after === undefined;
    case "line-start":
      return before === undefined || before === 10;
    case "line-end":
      return after === undefined || after === 10;
    case "boundary":
      return isWord(before) !== isWord(after);
    case "no-boundary":
      return isWord(before) === isWord(after);
  }
}

function isWord(code: number | undefined): boolean {
  return code !== undefined && isWordCode(code);
}

function expand(
  replacement: string,
  names: ReadonlyMap<string, number>,
  group: (index: number) => string,
): string {
  return replacement.replaceAll(
    /\$(?:\$|\{(\w+)\}|(\w+))/g,
    (_whole, inBraces: string | undefined, bare: string | undefined) => {
      const name = inBraces ?? bare;
      if (name === undefined) return "$";
      const index = /^\d{1,4}$/.test(name) ? Number(name) : names.get(name);
      return index === undefined ? "" : group(index);
    },
  );
}

/** Text as an expression that matches nothing else. */
export function quoteRegex(text: string): string {
  return text.replaceAll(/[\\.+*?()|[\]{}^$]/g, String.raw`\$&`);
}
