/** A key of the configuration, which may hold anything, as the name of one folder that is not hidden. */
export function toFolderName(key: string): string {
  return encodeURIComponent(key).replaceAll(".", "%2E");
}
