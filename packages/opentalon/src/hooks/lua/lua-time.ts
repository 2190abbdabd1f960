import type { HostAnswer, LuaValue } from "./lua-value.ts";

/** Answers what `os.clock`, `os.time` and `os.date` ask the host; `undefined` for other calls. */
export function answerTimeCall(name: string, values: readonly LuaValue[]): HostAnswer | undefined {
  switch (name) {
    case "clock":
      return { value: performance.now() / 1_000 };
    case "time":
      return readTime(values[0] ?? null);
    case "date":
      return formatDate(values[0], values[1]);
    default:
      return undefined;
  }
}

function readTime(parts: LuaValue): HostAnswer {
  if (parts === null) return { value: Math.floor(Date.now() / 1_000) };
  const read = (key: string, absent?: number): number => {
    const value = (parts as Record<string, LuaValue>)[key];
    const number = typeof value === "string" ? Number(value) : (value ?? absent);
    if (typeof number !== "number" || !Number.isInteger(number))
      throw new RangeError(`field '${key}' missing in date table`);
    return number;
  };
  const date = new Date(
    read("year"),
    read("month") - 1,
    read("day"),
    read("hour", 12),
    read("min", 0),
    read("sec", 0),
  );
  const seconds = date.getTime() / 1_000;
  return Number.isFinite(seconds) ? { value: seconds } : { problem: "time out of range" };
}

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const maxFormatLength = 1_000;

/** `strftime` in the C locale; a leading `!` means UTC, `*t` asks for a table. */
function formatDate(format: LuaValue | undefined, time: LuaValue | undefined): HostAnswer {
  const seconds = typeof time === "number" ? Math.floor(time) : Math.floor(Date.now() / 1_000);
  const given = typeof format === "string" ? format : "%c";
  const isUtc = given.startsWith("!");
  const pattern = isUtc ? given.slice(1) : given;
  const instant = new Date(seconds * 1_000);
  if (Number.isNaN(instant.getTime())) return { problem: "date result cannot be represented" };
  // The same fields in either zone: UTC getters of an instant moved by the zone.
  const offsetMinutes = isUtc ? 0 : -instant.getTimezoneOffset();
  const date = new Date(instant.getTime() + offsetMinutes * 60_000);
  if (pattern.startsWith("*t")) return { value: toParts(date) };
  if (pattern.length > maxFormatLength) return { problem: "the date format is too long" };
  return renderDate(pattern, date, { seconds, offsetMinutes, isUtc });
}

function toParts(date: Date): LuaValue {
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    min: date.getUTCMinutes(),
    sec: date.getUTCSeconds(),
    wday: date.getUTCDay() + 1,
    yday: dayOfYear(date),
    isdst: false,
  };
}

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
}

interface Zone {
  readonly seconds: number;
  readonly offsetMinutes: number;
  readonly isUtc: boolean;
}

function renderDate(pattern: string, date: Date, zone: Zone): HostAnswer {
  const pad = (value: number, width = 2, fill = "0"): string => String(value).padStart(width, fill);
  const day = days[date.getUTCDay()] ?? "";
  const month = months[date.getUTCMonth()] ?? "";
  const hour = date.getUTCHours();
  const year = date.getUTCFullYear();
  const week = (first: number): number =>
    Math.floor((dayOfYear(date) + 6 - ((date.getUTCDay() - first + 7) % 7)) / 7);
  const shifted = Math.abs(zone.offsetMinutes);
  const fields: Readonly<Record<string, () => string>> = {
    a: () => day.slice(0, 3),
    A: () => day,
    b: () => month.slice(0, 3),
    B: () => month,
    h: () => month.slice(0, 3),
    c: () => render("%a %b %e %H:%M:%S %Y"),
    C: () => pad(Math.floor(year / 100)),
    d: () => pad(date.getUTCDate()),
    D: () => render("%m/%d/%y"),
    e: () => pad(date.getUTCDate(), 2, " "),
    F: () => render("%Y-%m-%d"),
    g: () => pad(isoWeek(date).year % 100),
    G: () => String(isoWeek(date).year),
    H: () => pad(hour),
    I: () => pad(hour % 12 === 0 ? 12 : hour % 12),
    j: () => pad(dayOfYear(date), 3),
    m: () => pad(date.getUTCMonth() + 1),
    M: () => pad(date.getUTCMinutes()),
    n: () => "\n",
    p: () => (hour < 12 ? "AM" : "PM"),
    r: () => render("%I:%M:%S %p"),
    R: () => render("%H:%M"),
    s: () => String(zone.seconds),
    S: () => pad(date.getUTCSeconds()),
    t: () => "\t",
    T: () => render("%H:%M:%S"),
    u: () => String(date.getUTCDay() === 0 ? 7 : date.getUTCDay()),
    U: () => pad(week(0)),
    V: () => pad(isoWeek(date).week),
    w: () => String(date.getUTCDay()),
    W: () => pad(week(1)),
    x: () => render("%m/%d/%y"),
    X: () => render("%H:%M:%S"),
    y: () => pad(year % 100),
    Y: () => String(year),
    z: () =>
      `${zone.offsetMinutes < 0 ? "-" : "+"}${pad(Math.floor(shifted / 60))}${pad(shifted % 60)}`,
    Z: () => (zone.isUtc ? "GMT" : (/\(([^)]*)\)/.exec(date.toString())?.[1] ?? "")),
    "%": () => "%",
  };
  let unknown: string | undefined;
  const render = (text: string): string =>
    text.replaceAll(/%(.?)/gs, (whole: string, letter: string) => {
      const field = Object.hasOwn(fields, letter) ? fields[letter] : undefined;
      if (field === undefined) unknown = whole;
      return field?.() ?? "";
    });
  const rendered = render(pattern);
  return unknown === undefined
    ? { value: rendered }
    : { problem: `bad argument #1 to 'date' (invalid conversion specifier '${unknown}')` };
}

function isoWeek(date: Date): { readonly year: number; readonly week: number } {
  const weekday = date.getUTCDay() === 0 ? 7 : date.getUTCDay();
  const thursday = new Date(date.getTime() + (4 - weekday) * 86_400_000);
  return {
    year: thursday.getUTCFullYear(),
    week: Math.floor((dayOfYear(thursday) - 1) / 7) + 1,
  };
}
