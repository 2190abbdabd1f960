import { spawn } from "node:child_process";

type Environment = Readonly<Record<string, string | undefined>>;

/** What a desktop needs to find its browser; nothing of ours. */
const passedOn =
  /^(?:PATH|HOME|USER|LOGNAME|LANG|LC_[A-Z]+|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|DESKTOP_SESSION|BROWSER|SYSTEMROOT|USERPROFILE)$/;

/** Opens an address in the browser of this machine, where there is one. Never through a shell; never throws. */
export function openBrowser(address: string, environment: Environment): void {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) return;
  const [program, ...leading] = toOpener(process.platform);
  if (program === undefined) return;
  const env = Object.fromEntries(
    Object.entries(environment).filter(([name]) => passedOn.test(name.toUpperCase())),
  );
  const options = { env, stdio: "ignore", detached: true, shell: false } as const;
  try {
    const child = spawn(program, [...leading, url.href], options);
    child.on("error", () => undefined);
    child.unref();
  } catch {
    // The address stands on the terminal.
  }
}

function toOpener(platform: NodeJS.Platform): readonly string[] {
  switch (platform) {
    case "darwin":
      return ["/usr/bin/open"];
    case "win32":
      return ["rundll32.exe", "url.dll,FileProtocolHandler"];
    default:
      return ["xdg-open"];
  }
}
