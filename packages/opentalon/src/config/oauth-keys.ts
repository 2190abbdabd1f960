import { choice, list, named, secret, sectionAs, text } from "./keys.ts";

/** How to sign in to a service; `undefined` when the section is absent. */
export const oauth = sectionAs(
  {
    about:
      "Signing in to the service with `opentalon auth login <provider>`, in place of a key or beside keys. Addresses are https, or http on this machine itself.",
    keys: {
      issuer: text({
        about:
          "Root of the authorization server, which tells its other addresses. Not needed when they are given here.",
        example: "https://login.example.com",
      }),
      authorization_url: text({ about: "Where a person agrees in the browser." }),
      token_url: text({ about: "Where tokens come from and are refreshed." }),
      device_url: text({ about: "Where the device flow begins." }),
      client_id: text({ about: "How the service knows this program.", expands: "braces" }),
      client_secret: secret({
        about: "Only for services that gave one with the `client_id`.",
        expands: "braces",
      }),
      scopes: list({ about: "What to ask permission for.", item: text({ about: "" }) }),
      flow: choice({
        about:
          "`device`: enter a code on any machine. `browser`: sign in with the browser of this machine. When absent, `device` where the service offers it.",
        words: ["", "device", "browser"],
        default: "",
      }),
      parameters: named({
        about: "Sent along with every request of the sign-in, for example `audience`.",
        value: text({ about: "" }),
      }),
    },
  },
  ({ clientId, clientSecret, flow, issuer, authorizationUrl, tokenUrl, deviceUrl, ...rest }) =>
    [clientId, issuer, tokenUrl, authorizationUrl, deviceUrl].every((each) => each === "")
      ? undefined
      : {
          ...rest,
          clientId,
          clientSecret: clientSecret?.reveal() === "" ? undefined : clientSecret,
          flow: flow === "" ? undefined : flow,
          issuer: toOptional(issuer),
          authorizationUrl: toOptional(authorizationUrl),
          tokenUrl: toOptional(tokenUrl),
          deviceUrl: toOptional(deviceUrl),
        },
);

function toOptional(text: string): string | undefined {
  return text === "" ? undefined : text;
}
