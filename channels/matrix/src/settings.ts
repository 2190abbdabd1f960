/** Which invitations are accepted; `allowInvitesFrom` always is. */
export type AutoJoin =
  /** Those to direct chats, from everybody. */
  | "direct"
  /** No others. */
  | "allowlist"
  | "everyone"
  | "nobody";

export interface Settings {
  readonly homeserver: URL;
  readonly credentials:
    | { readonly kind: "token"; readonly accessToken: string }
    | { readonly kind: "password"; readonly user: string; readonly password: string };
  readonly autoJoin: AutoJoin;
  /** Users, such as `@ada:example.org`, or all users of a homeserver, `@*:example.org`. */
  readonly allowInvitesFrom: readonly string[];
  /** What answers are; notices make no sound on most devices, and other bots leave them alone. */
  readonly answersAs: "m.text" | "m.notice";
}

const knownKeys = [
  "homeserver",
  "access_token",
  "user",
  "password",
  "auto_join",
  "allow_invites_from",
  "answers_as",
];
const userPattern = /^@(?:\*|[^\s:*]{1,200}):[A-Za-z0-9.:[\]-]{1,200}$/;

type Config = Readonly<Record<string, unknown>>;

/**
 * What the operator wrote.
 * @throws Error that names the key; secrets are not repeated.
 */
export function readSettings(config: Config): Settings {
  const unknown = Object.keys(config).find((key) => !knownKeys.includes(key));
  if (unknown !== undefined)
    throw new Error(`there is no key \`${unknown}\`; known are ${knownKeys.join(", ")}`);
  return {
    homeserver: readHomeserver(config),
    credentials: readCredentials(config),
    autoJoin: readAutoJoin(config),
    allowInvitesFrom: readAllowed(config),
    answersAs: readAnswers(config),
  };
}

/** Plain HTTP would show the access token to everybody on the way. */
export function isSafeAddress(url: URL): boolean {
  if (url.protocol === "https:") return true;
  return url.protocol === "http:" && /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
}

function readHomeserver(config: Config): URL {
  const text = readText(config, "homeserver");
  if (text === "") throw new Error("`homeserver` is missing, such as https://matrix.example.org");
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  if (!URL.canParse(address))
    throw new Error("`homeserver` must be an address such as https://matrix.example.org");
  const url = new URL(address);
  if (!isSafeAddress(url))
    throw new Error("`homeserver` must begin with https://; http:// is for this machine only");
  if (url.username !== "" || url.search !== "" || url.hash !== "")
    throw new Error("`homeserver` must be an address without user, query and fragment");
  return url;
}

function readCredentials(config: Config): Settings["credentials"] {
  const accessToken = readText(config, "access_token");
  const user = readText(config, "user");
  const password = readText(config, "password");
  if (accessToken !== "" && (user !== "" || password !== ""))
    throw new Error("`access_token` and `user` with `password` exclude each other");
  if (accessToken !== "") {
    if (!/^[\x21-\x7e]+$/.test(accessToken))
      throw new Error(
        "`access_token` has characters no token has; was a space or a line end copied with it?",
      );
    return { kind: "token", accessToken };
  }
  if (user === "" && password === "")
    throw new Error("`access_token` is missing, or `user` and `password`");
  if (user === "") throw new Error("`user` is missing: the bot's name, such as @talon:example.org");
  if (password === "") throw new Error("`password` is missing");
  return { kind: "password", user, password };
}

function readAutoJoin({ auto_join: value }: Config): AutoJoin {
  if (value === undefined || value === "direct") return "direct";
  if (value === "allowlist") return "allowlist";
  if (value === true || value === "true") return "everyone";
  if (value === false || value === "false") return "nobody";
  throw new Error("`auto_join` must be direct, allowlist, true or false");
}

function readAllowed({ allow_invites_from: value = [] }: Config): readonly string[] {
  const users = typeof value === "string" ? [value] : value;
  const isUser = (user: unknown): user is string =>
    typeof user === "string" && userPattern.test(user);
  if (!Array.isArray(users) || !users.every(isUser))
    throw new Error(
      "`allow_invites_from` must be a list of users such as @ada:example.org, or @*:example.org for all of a homeserver",
    );
  return users;
}

function readAnswers({ answers_as: value = "text" }: Config): Settings["answersAs"] {
  if (value === "text") return "m.text";
  if (value === "notice") return "m.notice";
  throw new Error("`answers_as` must be text or notice");
}

function readText(config: Config, key: string): string {
  const value = config[key] ?? "";
  if (typeof value !== "string") throw new Error(`\`${key}\` must be text`);
  return value.trim();
}
