/** Questions about the history of Hello-World programs; the model gets one of them. */
export const questions: readonly string[] = [
  "Where did the first Hello World program appear in print, and what did it look like?",
  "Which language of the 1970s made printing a greeting the customary first program, and who wrote that example?",
  "How did a Hello World program look in B, the language before C, and why was the text split into pieces?",
  "How many lines does Hello World need in COBOL, and what is each of them for?",
  "Why does Hello World in Java need a class, and what did later versions of the language do about it?",
  "How does a Hello World program in assembly language talk to the operating system?",
  "What was the first program people were taught before Hello World became the custom?",
  "What does Hello World look like on a microcontroller that has no screen?",
  "Which esoteric language has the most astonishing Hello World, and how does it work?",
  "How did punctuation and capital letters in the greeting change from the first versions until today?",
];
