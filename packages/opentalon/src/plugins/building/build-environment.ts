import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { Environment } from "../child-environment.ts";

export interface BuildEnvironmentOptions {
  readonly host: Environment;
  /** For temporary files and what is thrown away afterwards. */
  readonly scratch: string;
  /** Home of a builder whose host has none it could write to. */
  readonly spareHome: string;
}

/**
 * What tools of the usual languages need to find their registries, mirrors and certificates. No name here is meant for
 * a credential; whatever else the host has in its environment stays with it.
 */
const passedOn: readonly RegExp[] = [
  /^(?:PATH|USER|LOGNAME|LANG|LC_[A-Z]+|TZ|XDG_(?:CACHE|CONFIG|DATA)_HOME)$/,
  /^(?:https?|all|no)_proxy$/i,
  /^(?:SSL_CERT_FILE|SSL_CERT_DIR|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO|NIX_SSL_CERT_FILE)$/,
  /^GO(?:PROXY|SUMDB|NOSUMDB|PRIVATE|NOPROXY|INSECURE|FLAGS|VCS|ENV|ROOT|PATH|CACHE|MODCACHE|TOOLCHAIN)$/,
  /^(?:CGO_ENABLED|CC|CXX|PKG_CONFIG_PATH)$/,
  /^npm_config_(?:registry|userconfig|globalconfig|cache|https?[_-]proxy|proxy|noproxy|ca|cafile|strict[_-]ssl|ignore[_-]scripts|offline|prefer[_-]offline|fetch[_-]\w+)$/i,
  /^PIP_(?:INDEX_URL|EXTRA_INDEX_URL|NO_INDEX|FIND_LINKS|TRUSTED_HOST|CERT|PROXY|CONFIG_FILE|CACHE_DIR|CONSTRAINT|DEFAULT_TIMEOUT|RETRIES)$/,
  /^CARGO_(?:HOME|HTTP_\w+|NET_\w+|REGISTRY_DEFAULT|REGISTRIES_\w+_(?:INDEX|PROTOCOL)|SOURCE_\w+_(?:REGISTRY|REPLACE_WITH|DIRECTORY))$/,
  /^RUSTUP_(?:HOME|TOOLCHAIN|DIST_SERVER|UPDATE_ROOT|AUTO_INSTALL)$/,
  /^(?:PYENV_ROOT|PYENV_VERSION|NVM_DIR|VOLTA_HOME|ASDF_DIR|ASDF_DATA_DIR|MISE_DATA_DIR)$/,
];

/** The environment of everything that builds a plugin or channel. */
export function toBuildEnvironment({
  host,
  scratch,
  spareHome,
}: BuildEnvironmentOptions): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(host)) {
    if (value !== undefined && passedOn.some((pattern) => pattern.test(name)))
      environment[name] = value;
  }
  const path = host["PATH"] ?? "/usr/local/bin:/usr/bin:/bin";
  const home = host["HOME"] ?? "";
  return {
    ...environment,
    // As for plugins: with our own Node where the machine has none.
    PATH: [path, dirname(process.execPath)].join(delimiter),
    HOME: isWritable(home) ? home : spareHome,
    TMPDIR: join(scratch, "tmp"),
    CARGO_TARGET_DIR: join(scratch, "target"),
    // Modules of a workspace around the data folder are no business of the plugin's.
    GOWORK: "off",
    TERM: "dumb",
    NO_COLOR: "1",
    CARGO_TERM_PROGRESS_WHEN: "never",
    PIP_PROGRESS_BAR: "off",
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
    npm_config_progress: "false",
    npm_config_update_notifier: "false",
    npm_config_audit: "false",
    npm_config_fund: "false",
    GIT_TERMINAL_PROMPT: "0",
  };
}

function isWritable(folder: string): boolean {
  if (folder === "") return false;
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
