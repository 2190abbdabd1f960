/** How a platform writes what Markdown means. */
export interface ChatStyle {
  readonly escape: (text: string) => string;
  readonly escapeCode: (code: string) => string;
  readonly bold: Marks;
  readonly italic: Marks;
  readonly strike: Marks;
  /** Around code in a line, which is given. */
  readonly code: (code: string) => Marks;
  readonly fence: (language: string, code: string) => Marks;
  /** Around the label of a link; without it the address stands in parentheses behind the label. */
  readonly link?: (address: string) => Marks;
  /** An address that stands for itself. */
  readonly address: (address: string) => string;
  readonly heading: (level: number) => Marks;
  readonly quote: Marks & { readonly linePrefix?: string };
  readonly bullet: string;
  readonly rule: string;
  /** A line break inside of a paragraph. */
  readonly lineBreak: string;
  /** Marks that stand for something by themselves, without a way to escape them. */
  readonly hasBareMarks: boolean;
  /** Marks count only at the edges of words. */
  readonly needsEdges: boolean;
  /** What has a meaning at the beginning of a line is escaped there. */
  readonly isMarkdown: boolean;
  readonly isCodeAlone: boolean;
  readonly hasQuotesInQuotes: boolean;
}

export interface Marks {
  readonly open: string;
  readonly close: string;
}

const around = (open: string, close = open): Marks => ({ open, close });
const none = around("");
const ticks = (): Marks => around("`");
const same = (text: string): string => text;
/** Seen by nobody; keeps what stands beside it from being read as a mark or a command. */
const gap = "\u200B";

const plain: ChatStyle = {
  escape: same,
  escapeCode: same,
  bold: none,
  italic: none,
  strike: none,
  code: () => none,
  fence: () => none,
  address: same,
  heading: () => none,
  quote: { ...none, open: "> ", linePrefix: "> " },
  bullet: "• ",
  rule: "――――――――",
  lineBreak: "\n",
  hasBareMarks: false,
  needsEdges: false,
  isMarkdown: false,
  isCodeAlone: false,
  hasQuotesInQuotes: true,
};

const slackEscape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const withoutFence = (code: string): string => code.replaceAll("```", `\`\`${gap}\``);

const slack: ChatStyle = {
  ...plain,
  escape: slackEscape,
  escapeCode: (code) => slackEscape(withoutFence(code)),
  bold: around("*"),
  italic: around("_"),
  strike: around("~"),
  code: ticks,
  fence: () => around("```\n", "\n```"),
  link: (address) => around(`<${slackEscape(address)}|`, ">"),
  address: (address) => `<${slackEscape(address)}>`,
  heading: () => around("*"),
  hasBareMarks: true,
  needsEdges: true,
  hasQuotesInQuotes: false,
};

const whatsapp: ChatStyle = {
  ...plain,
  escapeCode: withoutFence,
  bold: around("*"),
  italic: around("_"),
  strike: around("~"),
  code: ticks,
  fence: () => around("```\n", "\n```"),
  heading: () => around("*"),
  bullet: "- ",
  hasBareMarks: true,
  needsEdges: true,
  hasQuotesInQuotes: false,
};

export const escapeHtml = (text: string): string => slackEscape(text).replaceAll('"', "&quot;");

const telegram: ChatStyle = {
  ...plain,
  escape: escapeHtml,
  escapeCode: escapeHtml,
  bold: around("<b>", "</b>"),
  italic: around("<i>", "</i>"),
  strike: around("<s>", "</s>"),
  code: () => around("<code>", "</code>"),
  fence: (language) =>
    language === ""
      ? around("<pre>", "</pre>")
      : around(`<pre><code class="language-${language}">`, "</code></pre>"),
  link: (address) => around(`<a href="${escapeHtml(address)}">`, "</a>"),
  address: escapeHtml,
  heading: () => around("<b>", "</b>"),
  quote: around("<blockquote>", "</blockquote>"),
  isCodeAlone: true,
  hasQuotesInQuotes: false,
};

/** `_` inside of a word is no mark. */
const markdownEscape = (text: string): string =>
  text
    .replaceAll(/[\\*~`[\]|]/g, String.raw`\$&`)
    .replaceAll(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, String.raw`\_`);
/** One tick more than the code has in a row. */
const enoughTicks = (code: string): Marks =>
  code.includes("`") ? around("`` ", " ``") : around("`");
const markdownFence = (language: string): Marks => around(`\`\`\`${language}\n`, "\n```");
const markdownLink = (address: string): Marks =>
  around("[", `](${address.replaceAll("(", "%28").replaceAll(")", "%29")})`);

const discord: ChatStyle = {
  ...plain,
  // Neither everybody nor anybody is called by what a model writes.
  escape: (text) =>
    markdownEscape(text)
      .replaceAll(/@(?=everyone|here)/g, `@${gap}`)
      .replaceAll(/<(?=[@#:/a-z])/gi, `<${gap}`),
  escapeCode: withoutFence,
  bold: around("**"),
  italic: around("*"),
  strike: around("~~"),
  code: enoughTicks,
  fence: markdownFence,
  link: markdownLink,
  heading: (level) => (level > 3 ? around("**") : around(`${"#".repeat(level)} `, "")),
  bullet: "- ",
  isMarkdown: true,
  hasQuotesInQuotes: false,
};

const teams: ChatStyle = {
  ...plain,
  escape: (text) => markdownEscape(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;"),
  escapeCode: withoutFence,
  bold: around("**"),
  italic: around("*"),
  strike: around("~~"),
  code: enoughTicks,
  fence: markdownFence,
  link: markdownLink,
  heading: () => around("**"),
  bullet: "- ",
  rule: "---",
  lineBreak: "  \n",
  isMarkdown: true,
};

/** By `response_format`; `markdown` and the empty one are none of these. */
export const chatStyles: Readonly<Record<string, ChatStyle>> = {
  text: plain,
  slack,
  whatsapp,
  telegram,
  discord,
  teams,
};
