const known = new Set(
  "b strong i em u ins s strike del span tg-spoiler a code pre blockquote".split(" "),
);

/** What Telegram answers to a text it cannot read with `parse_mode: HTML`; `undefined` when it can. */
export function findEntityProblem(html: string): string | undefined {
  const open: string[] = [];
  let rest = html;
  for (;;) {
    const at = rest.search(/[<&]/);
    if (at < 0) break;
    rest = rest.slice(at);
    const entity = /^&(?:lt|gt|amp|quot|#\d+|#x[\da-f]+);/i.exec(rest);
    const tag = /^<(\/?)([a-z-]+)((?:\s+[a-z-]+="[^"<>]*")*)\s*>/i.exec(rest);
    if (rest.startsWith("&")) {
      rest = rest.slice(entity?.[0].length ?? 1);
      continue;
    }
    const [whole = "", slash = "", name = ""] = tag ?? [];
    if (tag === null || !known.has(name.toLowerCase()))
      return `can't parse entities: Unsupported start tag "${name}" at byte offset ${html.length - rest.length}`;
    if (slash === "") open.push(name.toLowerCase());
    else if (open.pop() !== name.toLowerCase())
      return `can't parse entities: Unexpected end tag at byte offset ${html.length - rest.length}`;
    rest = rest.slice(whole.length);
  }
  const [left] = open.toReversed();
  return left === undefined
    ? undefined
    : `can't parse entities: Can't find end tag corresponding to start tag "${left}"`;
}
