/**
 * What starts programs and reaches them calls all of them plugins; here they are channels. Where the channel itself has
 * said why it cannot go on, its words stand alone, without how they came here.
 */
export function toChannelWords(name: string, text: string): string {
  const words = text.replaceAll(`the plugin "${name}"`, `the channel "${name}"`);
  const own = `the channel "${name}" failed: `;
  if (!words.startsWith(own)) return words;
  return own + words.slice(own.length).replace(ownWords, "");
}

/** Codes of a refusal, and the step that our SDK names. */
const ownWords = /^grpc: (?:UNKNOWN|INVALID_ARGUMENT): (?:(?:start|configure): )?/;
