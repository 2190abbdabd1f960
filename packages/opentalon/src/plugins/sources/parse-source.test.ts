import { expect, it } from "vitest";
import { checkReference, parseSourceAddress } from "./parse-source.ts";

it.each([
  ["owner/name", "https://github.com/owner/name.git", "https"],
  ["owner/name.git", "https://github.com/owner/name.git", "https"],
  ["https://example.com/a/b", "https://example.com/a/b", "https"],
  ["git@example.com:a/b.git", "git@example.com:a/b.git", "ssh"],
  ["ssh://git@example.com:2222/a/b", "ssh://git@example.com:2222/a/b", "ssh"],
  ["file:///srv/a/b", "file:///srv/a/b", "file"],
  ["/srv/a/b", "/srv/a/b", "file"],
  ["http://127.0.0.1:8080/a/b", "http://127.0.0.1:8080/a/b", "http"],
])("%s is fetched from %s by %s", (text, url, protocol) => {
  const address = parseSourceAddress(text);
  expect(address).toMatchObject({ url, protocol });
  expect(address.folderName).toMatch(/^(?:owner-name|a-b)$/);
});

it.each([
  "",
  "name",
  "-u/x",
  "--upload-pack=touch x",
  "../x",
  "owner/..",
  "./owner/name",
  "ext::sh -c touch",
  "fd::17",
  "git@-oProxyCommand=x:y",
  "git@example.com:-x",
  "ssh://-oProxyCommand=x/y",
  "ftp://example.com/x",
  "http://example.com/a/b",
  "git://example.com/a/b",
  "owner/name\n--upload-pack=x",
  `https://example.com/${"a".repeat(3_000)}`,
])("%j is no address", (text) => {
  expect(() => parseSourceAddress(text)).toThrow(/no address of a repository/);
});

it("keeps a password out of the words", () => {
  expect(() => parseSourceAddress("https://ann:hunter2@example.com/a")).toThrow(
    /^(?!.*hunter2).*a password has no place/,
  );
  expect(() => parseSourceAddress("ftp://ann:hunter2@example.com/a")).toThrow(/^(?!.*hunter2)/);
});

it.each(["", "main", "v1.2.3", "feature/x-1", "refs/pull/1/head", "a".repeat(40)])(
  "%j can name a branch, tag or commit",
  (text) => {
    expect(checkReference(text)).toBe(text);
  },
);

it.each(
  "-x|--upload-pack=x|a..b|a b|a:b|+a:b|a^{}|a~1|*|a?|@|@{1}|/a|a/|a//b|a.lock|.a|a/.b|a."
    .split("|")
    .concat("a\u0000b", "a\nb", "a".repeat(300)),
)("%j cannot", (text) => {
  expect(() => checkReference(text)).toThrow(/no name of a branch or tag/);
});
