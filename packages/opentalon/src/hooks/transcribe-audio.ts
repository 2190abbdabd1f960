/**
 * Gets: a message that may carry sounds. Gives: their words in front of the text, and which files became words.
 * Never: stops a message because a sound was not understood; then the message goes on as it came.
 */
import type { Log } from "../base/log.ts";
import type { FileAttachment } from "../domain/message.ts";
import type { CallHookAction } from "./run-preparers.ts";

/** One entry of `content_preparers` with `stt: true`. */
export interface Transcriber {
  readonly plugin: string;
  readonly action: string;
  /** Try the next one when it fails; otherwise no sound of the message is transcribed. */
  readonly failOpen: boolean;
}

export interface SpokenMessage {
  readonly text: string;
  readonly files: readonly FileAttachment[];
}

export interface Transcription {
  readonly text: string;
  /** Places of the files that became text. */
  readonly transcribed: readonly number[];
}

export interface TranscriberPorts {
  readonly callAction: CallHookAction;
  readonly log: Log;
  /** Largest sound a plugin can be sent. */
  readonly maxAudioBytes: number;
}

/** Largest sound that is transcribed, whatever a plugin could be sent. */
export const largestAudioBytes = 25 * 1_024 * 1_024;

/** Gives each sound to the transcribers in list order until one understands it. */
export async function transcribeAudio(
  transcribers: readonly Transcriber[],
  { text, files }: SpokenMessage,
  ports: TranscriberPorts,
): Promise<Transcription> {
  const transcripts: string[] = [];
  const transcribed: number[] = [];
  if (transcribers.length === 0) return { text, transcribed };
  for (const [index, file] of files.entries()) {
    if (!file.mimeType.toLowerCase().startsWith("audio/")) continue;
    if (file.data.byteLength === 0 || file.data.byteLength > ports.maxAudioBytes) {
      const { byteLength } = file.data;
      ports.log.warn({ byteLength, most: ports.maxAudioBytes }, "a sound is not transcribed");
      continue;
    }
    const heard = await transcribeFile(transcribers, file, ports);
    if (heard.kind === "aborted") return { text, transcribed: [] };
    if (heard.kind === "unheard") continue;
    transcripts.push(heard.text);
    transcribed.push(index);
  }
  const parts = [...transcripts, ...(text.trim() === "" ? [] : [text])];
  return { text: transcribed.length === 0 ? text : parts.join("\n\n"), transcribed };
}

type Heard =
  | { readonly kind: "heard"; readonly text: string }
  | { readonly kind: "unheard" }
  /** A transcriber failed that must not. */
  | { readonly kind: "aborted" };

async function transcribeFile(
  transcribers: readonly Transcriber[],
  { data, mimeType }: FileAttachment,
  { callAction, log }: TranscriberPorts,
): Promise<Heard> {
  const encoded = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  for (const { plugin, action, failOpen } of transcribers) {
    const step = { plugin, action, arguments: { file_data: encoded, file_mime: mimeType } };
    const result = await callAction(step, `stt-${plugin}-${action}`);
    const text = result.content.trim();
    if (!result.isError && text !== "") return { kind: "heard", text };
    const problem = result.isError ? result.content : "it heard nothing";
    log.warn({ hook: `${plugin}__${action}`, failOpen, problem }, "a sound was not transcribed");
    if (!failOpen) return { kind: "aborted" };
  }
  return { kind: "unheard" };
}
