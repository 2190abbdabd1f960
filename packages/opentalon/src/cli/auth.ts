import { systemClock } from "../base/clock.ts";
import { createLog } from "../base/create-log.ts";
import { toPrintableLine } from "../base/printable.ts";
import { redactSecrets } from "../base/secret.ts";
import { readEnvironment } from "../config/read-environment.ts";
import { loadPart, type SignInNotice, type SignIns } from "../opentalon.ts";
import { load, reportError } from "./load.ts";
import { openBrowser } from "./open-browser.ts";

type Flow = "device" | "browser";

/** `opentalon auth login`: exit code 0 when somebody signed in. */
export async function logIn(path: string, provider: string, flow?: Flow): Promise<number> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error("interrupted"));
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    return await withSignIns(path, async (signIns) => {
      const { signal } = interrupted;
      try {
        await signIns.signIn({ provider, flow, announce, signal });
      } catch (error) {
        if (!signal.aborted) throw error;
        say("Nobody was signed in.");
        return 1;
      }
      say(`Signed in to ${provider}. A running opentalon uses it from now on.`);
      return 0;
    });
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

/** `opentalon auth logout`. */
export function logOut(path: string, provider: string): Promise<number> {
  return withSignIns(path, async (signIns) => {
    const wasSignedIn = await signIns.signOut(provider);
    say(
      wasSignedIn
        ? `Signed out of ${provider}: its tokens are forgotten here. The service may still know them; end the access there, too, if that matters.`
        : `Nobody was signed in to ${provider}.`,
    );
    return 0;
  });
}

/** `opentalon auth list`: one line for each credential, never its value. */
export function listCredentials(path: string): Promise<number> {
  return withSignIns(path, async (signIns) => {
    const rows = signIns
      .list()
      .map((each) => [
        each.provider,
        String(each.position),
        each.kind,
        each.fingerprint === "" ? "-" : each.fingerprint,
        each.expiresAtMs === undefined ? "-" : new Date(each.expiresAtMs).toISOString(),
        each.state,
      ]);
    if (rows.length === 0) {
      say("No model provider has a credential.");
      return 0;
    }
    const table = [["PROVIDER", "NUMBER", "KIND", "FINGERPRINT", "EXPIRES", "STATE"], ...rows];
    for (const row of table)
      say(row.map((cell, column) => cell.padEnd(toWidth(table, column))).join("  "));
    return 0;
  });
}

function toWidth(table: readonly (readonly string[])[], column: number): number {
  const isLast = column === (table[0]?.length ?? 0) - 1;
  return isLast ? 0 : Math.max(...table.map((row) => row[column]?.length ?? 0));
}

async function withSignIns(
  path: string,
  run: (signIns: SignIns) => Promise<number>,
): Promise<number> {
  const loaded = await load(path);
  if (loaded === undefined) return 1;
  const { config } = loaded;
  const log = createLog({ level: "warn", file: undefined, pretty: process.stderr.isTTY });
  try {
    const { assembleSignIns } = await loadPart.signIns();
    return await run(assembleSignIns({ config, clock: systemClock, log }));
  } catch (error) {
    reportError(error);
    return 1;
  }
}

/** Says what a person is to do; the browser is opened where there is one. */
function announce(notice: SignInNotice): void {
  switch (notice.kind) {
    case "device": {
      const minutes = Math.max(1, Math.floor(notice.lifetimeMs / 60_000));
      say(`Open ${notice.url} in a browser, on any machine, and enter the code:`);
      say(`  ${notice.code}`);
      if (notice.completeUrl !== undefined)
        say(`Or open ${notice.completeUrl} and compare the code.`);
      say(`Waiting up to ${minutes} min. Enter only a code that you asked for yourself.`);
      return;
    }
    case "browser":
      say("Open this address in a browser on this machine:");
      say(`  ${notice.url}`);
      if (process.stdout.isTTY) openBrowser(notice.url, readEnvironment());
  }
}

/** What servers say must not steer the terminal. */
function say(line: string): void {
  process.stdout.write(`${toPrintableLine(redactSecrets(line))}\n`);
}
