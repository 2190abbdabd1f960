import type { InboundMessage } from "../domain/message.ts";

const words = [
  ..."yes|yes please|yes do it|yes go ahead|yes allow it|y|yep|yeah|sure|ok|okay|go ahead|do it|allow|allow it|approve|approved|confirm|confirmed|i agree".split(
    "|",
  ),
  ..."ja|ja bitte|ja mach das|mach das|in ordnung|einverstanden|bestätigt|bestätige|erlaubt".split(
    "|",
  ),
  ..."oui|oui vas y|d accord|vas y|je confirme".split("|"),
  ..."sí|si|sí adelante|adelante|de acuerdo|confirmo|vale".split("|"),
  ..."sì|va bene|d accordo|sim|pode fazer|tak|zgoda|evet|onaylıyorum|да|давай|так|はい|是|是的|好|好的|可以|네|예|نعم|כן|हाँ|हां|tá|áno|igen|da|jes|joo|kyllä|ano".split(
    "|",
  ),
];
/** Anything but these beside the words may turn a yes into something else: a question, a quotation, a frown. */
const harmless = /^[\p{L}\p{M}\p{N}\s.,!¡…'’。．！、，،।👍✅🙏-]*$/u;
const yes = new Set(words.map(toBare));

/**
 * Whether a person's whole message says yes and nothing else, or is the click on a button that does. Anything more than
 * that may mean something else.
 */
export function isClearYes({
  content,
  metadata,
}: Pick<InboundMessage, "content" | "metadata">): boolean {
  const clicked = metadata["confirmation"];
  if (clicked !== undefined && clicked !== "") return clicked === "approve";
  return content.length <= 100 && harmless.test(content) && yes.has(toBare(content));
}

/** Lower case, without punctuation and signs. */
function toBare(text: string): string {
  return text
    .normalize("NFC")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}]+/gu, " ")
    .trim();
}
