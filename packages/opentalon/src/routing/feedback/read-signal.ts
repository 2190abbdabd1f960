export type ExplicitSignal = "regenerate" | "rejected" | "accepted";

/** Words of a channel and reactions, as signs or by the names chat platforms give them. */
const signals: ReadonlyMap<string, ExplicitSignal> = new Map([
  ...["regenerate", "🔁", "🔄", "repeat", "arrows_counterclockwise"].map(
    (name) => [name, "regenerate"] as const,
  ),
  ...["thumbs_down", "thumbsdown", "rejected", "-1", "👎", "❌", "x"].map(
    (name) => [name, "rejected"] as const,
  ),
  ...[
    "thumbs_up",
    "thumbsup",
    "accepted",
    "+1",
    "👍",
    "✅",
    "white_check_mark",
    "🎉",
    "tada",
    "❤",
    "heart",
  ].map((name) => [name, "accepted"] as const),
]);
const longestName = 64;

/** Colons around a name, shades of skin and the sign that makes an emoji coloured do not matter. */
const toSignal = (value: string | undefined): ExplicitSignal | undefined => {
  if (value === undefined || value.length > longestName) return undefined;
  const name = value
    .trim()
    .toLowerCase()
    .replaceAll(/^:|(?:::skin-tone-\d)?:?$/g, "");
  return signals.get(name.replaceAll(/\p{Emoji_Modifier}|\ufe0f/gu, ""));
};

/** Reads what a channel says outright about the last answer; undefined when it says nothing of the kind. */
export function readSignal(metadata: Readonly<Record<string, string>>): ExplicitSignal | undefined {
  return toSignal(metadata["signal"]) ?? toSignal(metadata["reaction"]);
}
