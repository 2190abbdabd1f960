/** Notes of people, each person's their own: a tool plugin that keeps a file and trusts no argument about who is asking. */
import { appendFile, readFile } from "node:fs/promises";
import { serveTool, type CallContext } from "@opentalon/plugin-sdk";

interface Note {
  readonly person: string;
  readonly text: string;
}

/** In the working directory, which OpenTalon keeps for this plugin in its state folder. */
const file = "notes.jsonl";
const notes = await readNotes();
let maxNotes = 100;

await serveTool({
  name: "notes",
  description: "Keeps short notes for the person in the conversation",
  onConfigure: ({ max_notes: wanted = maxNotes }) => {
    if (typeof wanted !== "number" || !Number.isInteger(wanted) || wanted < 1) {
      throw new Error("`max_notes` must be a whole number of at least 1");
    }
    maxNotes = wanted;
  },
  actions: {
    add: {
      description: "Keeps a note for the person. Use it when they ask to remember something.",
      parameters: { text: "What to remember, at most 500 characters" },
      contextArguments: ["entity_id"],
      run: async ({ text }, context) => {
        const person = toPerson(context);
        if (text.trim() === "") throw new Error("a note needs a text");
        if (text.length > 500) throw new Error("a note has at most 500 characters");
        const count = notesOf(person).length;
        if (count >= maxNotes) throw new Error(`there are ${count} notes already, no more fit`);
        await appendFile(file, `${JSON.stringify({ person, text })}\n`);
        notes.push({ person, text });
        return `Note ${count + 1} is kept.`;
      },
    },
    list: {
      description: "Lists the person's notes, oldest first.",
      parameters: {
        containing: { description: "Only notes that contain these words", required: false },
      },
      readOnly: true,
      contextArguments: ["entity_id"],
      run: ({ containing = "" }, context) => {
        const wanted = containing.toLowerCase();
        const found = notesOf(toPerson(context))
          .map(({ text }, index) => ({ number: index + 1, text }))
          .filter(({ text }) => text.toLowerCase().includes(wanted));
        if (found.length === 0) return "There are no such notes.";
        return found.map(({ number, text }) => `${number}. ${text}`).join("\n");
      },
    },
  },
});

function notesOf(person: string): readonly Note[] {
  return notes.filter((note) => note.person === person);
}

/** OpenTalon says who is asking; whatever a model claims under this name never arrives here. */
function toPerson({ values }: CallContext): string {
  const person = values["entity_id"];
  if (person === undefined) throw new Error("it is not known whose notes are meant");
  return person;
}

async function readNotes(): Promise<Note[]> {
  const text = await readFile(file, { encoding: "utf8", flag: "a+" });
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Note);
}
