/** What starts programs and reaches them calls all of them plugins; here they are channels. */
export function toChannelWords(name: string, text: string): string {
  return text.replaceAll(`the plugin "${name}"`, `the channel "${name}"`);
}
