const wholeWords = new Set([
  "key",
  "keys",
  "auth",
  "pass",
  "pwd",
  "dsn",
  "jwt",
  "pat",
  "otp",
  "bearer",
  "private",
  "signature",
  "cert",
]);

const fragments =
  /apikey|token|secret|passw|passphrase|credential|authorization|cookie|accesskey|privatekey|webhookurl|connectionstring|databaseurl|redisurl/;

/** Whether a value under this name is a credential as far as one can tell from the name. */
export function isCredentialName(name: string): boolean {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return fragments.test(words.join("")) || words.some((word) => wholeWords.has(word));
}
