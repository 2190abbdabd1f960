import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { detectFeedback } from "./detect-feedback.ts";
import { feedbackContexts, feedbackSamples } from "./feedback-samples.ts";

const previous = {
  question: "What is the capital of Australia?",
  answer: "Sydney is the capital of Australia.",
};
const asking = { question: "Clean up, please", answer: "Shall I delete it? (yes/no)" };

const toKind = (message: string, before = previous): string => {
  const feedback = detectFeedback(before, message);
  return feedback.kind === "rejected" ? feedback.how : feedback.kind;
};

describe("detectFeedback", () => {
  it.each([
    "no, try again",
    "wrong",
    "nope",
    "again please",
    "not good enough",
    "no, try another model",
    "ask a better model please",
    "frag ein anderes Modell",
    "that's not right",
    "THAT’S NOT RIGHT!!!",
    "das ist falsch",
    "nochmal bitte",
    "non, réessaie",
    "no, inténtalo otra vez",
    "errado, tenta de novo",
    "sbagliato, riprova",
    "fout, probeer opnieuw",
    "źle, spróbuj jeszcze raz",
    "неправильно, попробуй ещё раз",
    "ні, спробуй ще раз",
    "špatně, zkus to znovu",
    "fel, försök igen",
    "väärin, yritä uudelleen",
    "rossz, próbáld újra",
    "greșit, încearcă din nou",
    "λάθος, δοκίμασε ξανά",
    "yanlış, tekrar dene",
    "خطأ، حاول مرة أخرى",
    "اشتباه است",
    "טעות, נסה שוב",
    "गलत, फिर से कोशिश करो",
    "ভুল, আবার চেষ্টা করো",
    "salah, coba lagi",
    "sai rồi, thử lại",
    "ผิดแล้ว ลองใหม่",
    "不对，再试一次",
    "違います、もう一度",
    "다시 해봐",
    "👎",
  ])("takes %j as asking for another answer", (message) => expect(toKind(message)).toBe("retry"));

  it.each([
    "no, I meant the Go version",
    "that's wrong: Canberra is the capital",
    "it doesn't compile: error TS2304",
    "nein, ich meinte die andere",
    "non, je voulais dire Canberra",
    "no, me refería a Canberra",
    "нет, я имел в виду Канберру",
    "不是，我是说堪培拉",
    "아니요, 제 말은 캔버라예요",
  ])("takes %j as a correction", (message) => expect(toKind(message)).toBe("correction"));

  it.each([
    "Which city is Australia's capital?",
    "WHAT IS THE CAPITAL OF AUSTRALIA?",
    "what is the capitol of Australia",
    "Australia: what is its capital?",
  ])("takes %j as the same question again", (message) => expect(toKind(message)).toBe("rephrased"));

  it.each([
    "no problem",
    "no worries",
    "not bad",
    "nothing else",
    "now sort them",
    "never mind",
    "I know",
    "again, thanks",
    "wrong number of arguments — what does that mean?",
    "and what about France?",
    "What is the capital of France?",
    "thanks, now translate it",
    "why?",
    "yes",
    "kein Problem",
    "pas mal",
    "no hay problema",
    "sem problemas",
    "nessun problema",
    "geen probleem",
    "nie wiem",
    "нет проблем",
    "sorun değil",
    "لا مشكلة",
    "कोई बात नहीं",
    "không sao",
    "没问题",
    "不错",
    "問題ありません",
    "괜찮아요",
    "inga problem",
    "ei hätää",
    "nem baj",
    "κανένα πρόβλημα",
    "אין בעיה",
    "tidak masalah",
  ])("hears nothing against the answer in %j", (message) =>
    expect(toKind(message)).toBe("accepted"),
  );

  it.each(["no", "no, leave it", "yes", "nein", "не надо", "不用了"])(
    "takes %j after a question of the assistant for its answer",
    (message) => expect(toKind(message, asking)).toBe("none"),
  );

  it("still hears what is wrong after a question of the assistant", () =>
    expect(toKind("no, that's wrong, try again", asking)).toBe("retry"));

  it.each(["", "   ", "...", "\u0000"])("tells nothing from %j", (message) =>
    expect(toKind(message)).toBe("none"),
  );

  it("does not take quoted or reported words for the person's own", () => {
    expect(toKind('how do I say "that is wrong" in French?')).toBe("accepted");
    expect(toKind("the server says: try again")).toBe("accepted");
  });

  it("reads only the beginning of a long message", () => {
    const long = "x1 ".repeat(1_000_000);
    expect(toKind(`${long} that's wrong`)).toBe("accepted");
    expect(detectFeedback({ question: long, answer: long }, "hello").kind).toBe("accepted");
    for (const sign of ["(", '"', "?", " -", "no ", "\u0300"])
      expect(() => detectFeedback(previous, sign.repeat(1_000_000))).not.toThrow();
  });

  it("never throws", () => {
    const text = fc.string({ unit: "binary", maxLength: 200 });
    fc.assert(
      fc.property(text, text, text, (question, answer, message) => {
        expect(["accepted", "rejected", "none"]).toContain(
          detectFeedback({ question, answer }, message).kind,
        );
      }),
      { numRuns: 50 },
    );
  });

  it("is right on samples written after its rules, the half not looked at included", () => {
    for (const half of [0, 1]) {
      const seen = { hit: 0, false: 0, missed: 0 };
      feedbackSamples.forEach(({ message, how, context }, at) => {
        const before = feedbackContexts[context];
        if (at % 2 !== half || before === undefined) return;
        const isRejected = detectFeedback(before, message).kind === "rejected";
        if (isRejected) seen[how === "no" ? "false" : "hit"]++;
        else if (how !== "no") seen.missed++;
      });
      expect(seen.hit / (seen.hit + seen.false)).toBeGreaterThanOrEqual(0.97);
      expect(seen.hit / (seen.hit + seen.missed)).toBeGreaterThanOrEqual(0.9);
    }
  });
});
