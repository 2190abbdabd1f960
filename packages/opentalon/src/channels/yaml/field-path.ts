/**
 * The value at a dotted path inside parsed JSON: a member of exactly that name first, then member by member. Numbers
 * index lists, negative ones from the end (`photo.-1.file_id`). `undefined` when there is nothing.
 */
export function findField(value: unknown, path: string): unknown {
  if (path === "") return value;
  const exact = findMember(value, path);
  if (exact !== undefined || !path.includes(".")) return exact;
  let current = value;
  for (const part of path.split(".")) {
    current = findMember(current, part);
    if (current === undefined) return undefined;
  }
  return current;
}

/** A value that was found, with the object that holds the last list on its way. */
export interface FoundEvent {
  readonly value: unknown;
  readonly parent: unknown;
}

/** The same where `*` stands for every member of a list: `entry.*.changes.*.value.messages.*`. At most `most` values. */
export function findFields(value: unknown, path: string, most: number): readonly FoundEvent[] {
  if (!path.split(".").includes("*")) {
    const found = findField(value, path);
    return found === undefined ? [] : [{ value: found, parent: undefined }];
  }
  let found: FoundEvent[] = [{ value, parent: undefined }];
  let holders = found.map((each) => each.value);
  for (const part of path.split(".")) {
    const next: FoundEvent[] = [];
    const nextHolders: unknown[] = [];
    for (const [index, { value: current, parent }] of found.entries()) {
      if (part === "*") {
        for (const item of Array.isArray(current) ? current : []) {
          if (next.length >= most) break;
          next.push({ value: item, parent: holders[index] });
          nextHolders.push(item);
        }
      } else {
        const member = findMember(current, part);
        if (member === undefined) continue;
        next.push({ value: member, parent });
        nextHolders.push(current);
      }
    }
    found = next;
    holders = nextHolders;
  }
  return found;
}

function findMember(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return /^-?\d{1,9}$/.test(name) ? value.at(Number(name)) : undefined;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** A value of an event as text: numbers without exponent, what is nested as JSON, nothing as `""`. */
export function toText(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return Number.isInteger(value) ? BigInt(value).toString() : String(value);
    case "boolean":
    case "bigint":
      return String(value);
    case "object":
      return value === null ? "" : JSON.stringify(value);
    default:
      return "";
  }
}
