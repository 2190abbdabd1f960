import { createClientApi, type ClientApi } from "./client-api.ts";
import { createHomeserver, type Homeserver } from "./homeserver.ts";
import type { KeptFile } from "./kept-file.ts";
import { isSignedOut, MatrixError } from "./matrix-error.ts";
import { member, toList, toText } from "./read-json.ts";
import { isSafeAddress, type Settings } from "./settings.ts";

/** Signed in: who we are, and the requests we can make as that. */
export interface Session {
  readonly api: ClientApi;
  readonly userId: string;
}

export interface SignInOptions {
  readonly settings: Settings;
  /** Keeps what a login gave. Secret. */
  readonly sessionFile: KeptFile;
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal;
}

/**
 * Signs in with the token, with what an earlier login gave, or with the password.
 * @throws MatrixError while the homeserver is away; Error in words for the operator when it says no.
 */
export async function signIn(options: SignInOptions): Promise<Session> {
  const { settings, signal } = options;
  const url = await findHomeserver(options);
  const connect = (token: string): ClientApi =>
    createClientApi(createHomeserver({ url, token: () => token, fetch: options.fetch }));
  const { credentials } = settings;
  if (credentials.kind === "token") {
    const api = connect(credentials.accessToken);
    const { userId } = await api.whoAmI(signal).catch((error: unknown) => {
      throw isSignedOut(error) ? new Error(toTokenWords(url), { cause: error }) : error;
    });
    return { api, userId };
  }
  const owner = { homeserver: url.href, user: credentials.user };
  const kept = await readKept(options.sessionFile, owner);
  if (kept.token !== "") {
    const api = connect(kept.token);
    try {
      const { userId } = await api.whoAmI(signal);
      return { api, userId };
    } catch (error) {
      if (!isSignedOut(error)) throw error;
    }
  }
  const open = createHomeserver({ url, token: () => "", fetch: options.fetch });
  const { token, deviceId, userId } = await logIn(open, credentials, kept.deviceId, signal);
  await options.sessionFile.write({ ...owner, device_id: deviceId, access_token: token });
  return { api: connect(token), userId };
}

/** What the operator has to do about a token that is not taken. */
export function toTokenWords(url: URL): string {
  return `\`access_token\` is not valid at ${url.host} (M_UNKNOWN_TOKEN): it was revoked, its device was signed out, or it belongs to another homeserver`;
}

/** The address as it stands, or the one the server's name leads to. */
async function findHomeserver({ settings, fetch, signal }: SignInOptions): Promise<URL> {
  const { homeserver: url } = settings;
  const open = createHomeserver({ url, token: () => "", fetch });
  const get = (...path: readonly string[]): Promise<unknown> =>
    open.ask({ method: "GET", path, signal, isOpen: true });
  try {
    const answer = await get("_matrix", "client", "versions");
    if (toList(member(answer, "versions")).length > 0) return url;
  } catch (error) {
    // No answer at all is no answer about where else to look.
    if (error instanceof MatrixError && [0, 429].includes(error.status)) throw error;
    if (error instanceof MatrixError && error.status > 502) throw error;
  }
  const found = await get(".well-known", "matrix", "client").then(
    (answer) => toText(member(member(answer, "m.homeserver"), "base_url")),
    () => "",
  );
  if (found === "" || !URL.canParse(found))
    throw new Error(`\`homeserver\`: there is no Matrix homeserver at ${url.href}`);
  const target = new URL(found);
  if (!isSafeAddress(target))
    throw new Error(`\`homeserver\`: ${url.host} leads to ${target.origin}, which is not https://`);
  return target;
}

async function readKept(
  file: KeptFile,
  owner: { readonly homeserver: string; readonly user: string },
): Promise<{ token: string; deviceId: string }> {
  const kept = await file.read();
  const isOurs =
    member(kept, "homeserver") === owner.homeserver && member(kept, "user") === owner.user;
  if (!isOurs) return { token: "", deviceId: "" };
  return {
    token: toText(member(kept, "access_token")),
    deviceId: toText(member(kept, "device_id")),
  };
}

async function logIn(
  open: Homeserver,
  { user, password }: { readonly user: string; readonly password: string },
  deviceId: string,
  signal: AbortSignal,
): Promise<{ token: string; deviceId: string; userId: string }> {
  const path = ["_matrix", "client", "v3", "login"];
  const flows = await open.ask({ method: "GET", path, signal, isOpen: true });
  const types = toList(member(flows, "flows")).map((flow) => toText(member(flow, "type")));
  if (!types.includes("m.login.password"))
    throw new Error(
      "the homeserver takes no passwords; make an access token and set `access_token`",
    );
  const answer = await open
    .ask({
      method: "POST",
      path,
      isOpen: true,
      json: {
        type: "m.login.password",
        identifier: { type: "m.id.user", user },
        password,
        initial_device_display_name: "OpenTalon",
        // The same device again, so that the account does not fill with them.
        ...(deviceId === "" ? {} : { device_id: deviceId }),
      },
      signal,
    })
    .catch((error: unknown) => {
      if (!(error instanceof MatrixError) || error.status !== 403) throw error;
      const problem = `\`user\` and \`password\` are not accepted (${error.code})`;
      throw new Error(problem, { cause: error });
    });
  const token = toText(member(answer, "access_token"));
  const userId = toText(member(answer, "user_id"));
  if (token === "" || userId === "")
    throw new MatrixError("the homeserver's answer to login is incomplete", { status: 502 });
  return { token, userId, deviceId: toText(member(answer, "device_id")) };
}
