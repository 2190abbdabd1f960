import { open } from "node:fs/promises";
import { ConfigError, toMessage } from "../base/errors.ts";

const maxBytes = 1024 * 1024;

/**
 * The text of a configuration file, at most 1 MiB.
 * @throws ConfigError CONFIG_NOT_FOUND, CONFIG_UNREADABLE.
 */
export async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(
      "CONFIG_UNREADABLE",
      `${path} is not text in UTF-8. Save it in that encoding.`,
    );
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, "r");
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") {
      const advice = "Copy config.example.yaml there, or name another file with --config.";
      throw new ConfigError(
        "CONFIG_NOT_FOUND",
        `There is no configuration file at ${path}. ${advice}`,
      );
    }
    const reason =
      code === "EISDIR"
        ? "it is a directory"
        : code === "EACCES"
          ? "reading it is not permitted"
          : toMessage(error);
    throw new ConfigError("CONFIG_UNREADABLE", `${path} cannot be read: ${reason}.`, {
      cause: error,
    });
  }
  throw new ConfigError(
    "CONFIG_UNREADABLE",
    `${path} is larger than 1 MiB, which no configuration is.`,
  );
}
