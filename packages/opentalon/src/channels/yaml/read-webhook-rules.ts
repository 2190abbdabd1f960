import type { SignatureScheme, VerifyRules, WebhookRules } from "./definition.ts";
import { signatureSchemes } from "./definition.ts";
import type { DefinitionCursor } from "./definition-cursor.ts";
import { parseTemplate } from "./template.ts";

export function readWebhookRules(cursor: DefinitionCursor | undefined): WebhookRules | undefined {
  if (cursor === undefined) return undefined;
  const responseCode = cursor.whole("response_code", 200);
  if (responseCode < 200 || responseCode > 299) {
    cursor.fail("response_code", "it must lie between 200 and 299");
  }
  return {
    path: cursor.template("path") ?? parseTemplate("/api/messages"),
    port: cursor.template("port"),
    jwt: readJwt(cursor),
    secret: readSecret(cursor),
    signature: readSignature(cursor),
    verify: readVerify(cursor.map("verify")),
    responseCode,
  };
}

function readJwt(cursor: DefinitionCursor): WebhookRules["jwt"] {
  const oidcEndpoint = cursor.template("oidc_endpoint");
  const audience = cursor.template("audience");
  const issuer = cursor.template("issuer") ?? parseTemplate("");
  if (!cursor.flag("validate_jwt", false)) return undefined;
  return {
    oidcEndpoint: oidcEndpoint ?? cursor.fail("oidc_endpoint", "validate_jwt needs it"),
    audience:
      audience ?? cursor.fail("audience", "validate_jwt needs it, or tokens of others would do"),
    issuer,
  };
}

function readSecret(cursor: DefinitionCursor): WebhookRules["secret"] {
  const header = cursor.text("secret_header").toLowerCase();
  const value = cursor.template("secret_value");
  if (header === "" && value === undefined) return undefined;
  if (header === "") cursor.fail("secret_header", "secret_value needs it");
  return { header, value: value ?? cursor.fail("secret_value", "secret_header needs it") };
}

function readSignature(cursor: DefinitionCursor): WebhookRules["signature"] {
  const scheme = cursor.text("signature_scheme");
  const secret = cursor.template("signature_secret");
  if (scheme === "" && secret === undefined) return undefined;
  if (!isScheme(scheme)) {
    return cursor.fail("signature_scheme", `it must be one of ${signatureSchemes.join(", ")}`);
  }
  return { scheme, secret: secret ?? cursor.fail("signature_secret", "signature_scheme needs it") };
}

function isScheme(text: string): text is SignatureScheme {
  return (signatureSchemes as readonly string[]).includes(text);
}

function readVerify(cursor: DefinitionCursor | undefined): VerifyRules | undefined {
  if (cursor === undefined) return undefined;
  if (cursor.has("challenge_query")) {
    return {
      kind: "query",
      token: {
        name: cursor.required("token_query"),
        value: cursor.template("token_value") ?? cursor.fail("token_value", "it must be given"),
      },
      challenge: cursor.required("challenge_query"),
    };
  }
  return {
    kind: "event",
    when: {
      field: cursor.required("field"),
      equals: cursor.template("equals") ?? cursor.fail("equals", "it must be given"),
      except: [],
    },
    challenge: cursor.required("challenge_field"),
  };
}
