import { describe, expect, it } from "vitest";
import { toOwnWords } from "./reply-text.ts";

const ownWords = (text: string): string => toOwnWords({ text, isReply: true });

describe("what a person wrote in a reply", () => {
  it.each([
    ["Gmail", "On Sun, May 3, 2026 at 10:00 AM Talon <talon@example.com> wrote:\n\n> Hello\n> Ann"],
    ["Gmail, cut", "On Sun, May 3, 2026 at 10:00 AM Talon\n<talon@example.com> wrote:\n> Hello"],
    [
      "Gmail in German",
      "Am So., 3. Mai 2026 um 10:00 Uhr schrieb Talon <talon@example.com>:\n\n> Hallo",
    ],
    ["Apple Mail", "> On 3. May 2026, at 10:00, Talon <talon@example.com> wrote:\n> \n> Hello"],
    ["Apple Mail in German", "Am 03.05.2026 um 10:00 schrieb Talon <talon@example.com>:\n\nHallo"],
    ["Thunderbird", "Talon wrote on 03.05.26 at 10:00:\n> Hello"],
    [
      "an older one in German",
      "Am 3. Mai 2026 hat Talon <talon@example.com> geschrieben:\n> Hallo",
    ],
    [
      "Outlook",
      "From: Talon <talon@example.com>\nSent: Sunday, May 3, 2026 10:00\nTo: Ann\nSubject: Re: Hello\n\nHello",
    ],
    [
      "Outlook in German",
      "Von: Talon <talon@example.com>\nGesendet: Sonntag, 3. Mai 2026 10:00\nAn: Ann\nBetreff: AW: Hallo\n\nHallo",
    ],
    [
      "Outlook on the web",
      "________________________________\nFrom: Talon <talon@example.com>\nSent: Sunday\nTo: Ann\nSubject: Hello",
    ],
    ["Outlook, older", "-----Original Message-----\nFrom: Talon\nHello"],
    ["Outlook, older, in German", "-----Ursprüngliche Nachricht-----\nVon: Talon\nHallo"],
  ])("is without the history as %s writes it", (_program, history) => {
    expect(ownWords(`Yes, please.\n\nAnd two more.\n\n${history}\n`)).toBe(
      "Yes, please.\n\nAnd two more.",
    );
  });

  it("is below what is quoted, or between it, where somebody answers so", () => {
    const text =
      "On Sunday, Talon <talon@example.com> wrote:\n> Shall I book?\nYes.\n> For two?\nFor three.";
    expect(ownWords(text)).toBe("Yes.\nFor three.");
  });

  it("is without a signature and what telephones add", () => {
    expect(ownWords("Yes.\r\n-- \r\nAnn Lee\r\nHead of Things")).toBe("Yes.");
    expect(ownWords("Yes.\n\nSent from my iPhone")).toBe("Yes.");
    expect(
      ownWords("Ja.\n\nVon meinem iPhone gesendet\n\nAm 3.5.26 schrieb Talon <t@e.com>:\n> x"),
    ).toBe("Ja.");
    expect(ownWords("Ja.\n\nGet Outlook for iOS<https://aka.ms/o0ukef>")).toBe("Ja.");
  });

  it("keeps all that only looks like it", () => {
    for (const text of [
      "From: the beginning, it was wrong.\nWe should change it.",
      "On Monday we wrote: nothing.",
      "Bob wrote:\nI do not agree.",
      "A -- B",
      "1 > 0",
      "Sent from my iPhone is what it says\n1\n2\n3\n4",
    ])
      expect(ownWords(text)).toBe(text);
  });

  it("is all of a mail that answers nothing", () => {
    const text = "Look:\n> a quotation\nOn 1 May, Bob <b@x.example> wrote:\nHello";
    expect(toOwnWords({ text, isReply: false })).toBe(text);
  });
});
