import { expect, test } from "vitest";
import { formatHandshake, parseHandshake, parseHostAndPort } from "./handshake.ts";

test("a socket path is read", () => {
  expect(parseHandshake("1|unix|/run/p/plugin.sock\n")).toEqual({
    network: "unix",
    address: "/run/p/plugin.sock",
  });
});

test("a TCP address is read", () => {
  expect(parseHandshake("  1|tcp|127.0.0.1:5000\r\n")).toEqual({
    network: "tcp",
    address: "127.0.0.1:5000",
  });
});

test.each(["127.0.0.1:8080", "127.200.3.4:1", "[::1]:8080", "[0:0:0:0:0:0:0:1]:80"])(
  "the web address %s is read",
  (httpAddress) => {
    expect(parseHandshake(`1|unix|/p.sock|${httpAddress}`)).toEqual({
      network: "unix",
      address: "/p.sock",
      httpAddress,
    });
  },
);

test("an empty web address counts as none", () => {
  expect(parseHandshake("1|unix|/p.sock|")).toEqual({ network: "unix", address: "/p.sock" });
});

test.each([
  "0.0.0.0:80",
  "10.0.0.1:80",
  "localhost:80",
  "127.0.0.1",
  "127.0.0.999:80",
  "127.0.0.1:0",
  "127.0.0.1:65536",
  "[::2]:80",
  "[fe80::1]:80",
  "127.0.0.1:80|more",
  "http://127.0.0.1:80",
])("the web address %s is refused", (httpAddress) => {
  expect(() => parseHandshake(`1|unix|/p.sock|${httpAddress}`)).toThrow(
    "not a loopback IP address",
  );
});

test.each([
  ["", "empty"],
  ["   \n", "empty"],
  ["hello", 'is not "1|unix|<path>"'],
  ["1|unix", 'is not "1|unix|<path>"'],
  ["2|unix|/p.sock", 'version "2"'],
  ["01|unix|/p.sock", 'version "01"'],
  ["|unix|/p.sock", 'version ""'],
  ["1|udp|/p.sock", 'network "udp"'],
  ["1|UNIX|/p.sock", 'network "UNIX"'],
  ["1|unix|", "names no socket"],
  ["1|unix|/a\u0000b", "control characters"],
  [`1|unix|/${"a".repeat(107)}`, "108 bytes"],
  ["1|tcp|", "not host:port"],
  ["1|tcp|5000", "not host:port"],
  ["1|tcp|host:99999", "not host:port"],
])("the line %j is refused", (line, problem) => {
  expect(() => parseHandshake(line)).toThrow(problem);
});

test("a long line is not repeated whole in the error", () => {
  expect(() => parseHandshake("x".repeat(100_000))).toThrow(/^.{1,250}$/);
});

test.each([
  { network: "unix", address: "/p.sock" },
  { network: "tcp", address: "[::1]:5000", httpAddress: "127.0.0.1:80" },
] as const)("what is written can be read", (handshake) => {
  expect(parseHandshake(formatHandshake(handshake))).toEqual(handshake);
});

test("a handshake is written in the form all hosts know", () => {
  expect(formatHandshake({ network: "unix", address: "/p.sock" })).toBe("1|unix|/p.sock");
  expect(
    formatHandshake({ network: "unix", address: "/p.sock", httpAddress: "127.0.0.1:80" }),
  ).toBe("1|unix|/p.sock|127.0.0.1:80");
});

test("host and port are taken apart, IPv6 in brackets", () => {
  expect(parseHostAndPort("plugins.internal:5000")).toEqual({
    host: "plugins.internal",
    port: 5000,
  });
  expect(parseHostAndPort("[::1]:5000")).toEqual({ host: "::1", port: 5000 });
  expect(parseHostAndPort("::1:5000")).toBeUndefined();
  expect(parseHostAndPort("user@host:5000")).toBeUndefined();
});
