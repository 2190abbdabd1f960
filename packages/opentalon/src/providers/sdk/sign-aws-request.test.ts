import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { expect, it } from "vitest";
import { signAwsRequest } from "./sign-aws-request.ts";

const keys = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  sessionToken: "",
};
const request = {
  url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse-stream",
  body: '{"messages":[{"role":"user","content":[{"text":"wörld"}]}]}',
  keys,
  region: "us-east-1",
  service: "bedrock",
  nowMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
};

it("names the key, the day, the region and what is signed, and shows nothing secret", () => {
  const headers = signAwsRequest(request);
  expect(headers).toMatchObject({ "x-amz-date": "20260102T030405Z" });
  expect(headers).not.toHaveProperty("x-amz-security-token");
  expect(headers["authorization"]).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20260102\/us-east-1\/bedrock\/aws4_request, SignedHeaders=host;x-amz-date, Signature=[0-9a-f]{64}$/,
  );
  expect(JSON.stringify(headers)).not.toContain(keys.secretAccessKey);
});

it("signs another body, address, time and token in another way", () => {
  const signatures = [
    {},
    { body: "{}" },
    { url: request.url.replace("lite", "pro") },
    { url: `${request.url}?b=2&a=1` },
    { nowMs: 0 },
    { region: "eu-central-1" },
    { keys: { ...keys, sessionToken: "lent" } },
    { keys: { ...keys, secretAccessKey: "other" } },
  ].map((change) => signAwsRequest({ ...request, ...change })["authorization"]);
  expect(new Set(signatures).size).toBe(signatures.length);
});

it("signs as the signer of the SDK does", async () => {
  let sent: { url: string; body: string; headers: Record<string, string> } | undefined;
  const provider = createAmazonBedrock({
    ...keys,
    sessionToken: "lent",
    apiKey: " ",
    region: "us-east-1",
    baseURL: "https://bedrock-runtime.us-east-1.amazonaws.com",
    fetch: (input, init) => {
      const headers = Object.fromEntries(new Headers(init?.headers));
      sent = { url: new Request(input).url, body: init?.body as string, headers };
      return Promise.reject(new Error("far enough"));
    },
  });
  const model = provider("amazon.nova-lite-v1:0");
  const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "wörld" }] }];
  await expect(model.doStream({ prompt })).rejects.toThrow("far enough");
  expect(sent?.url).toContain("%3A0");
  const { authorization = "", "x-amz-date": time = "" } = sent?.headers ?? {};
  const nowMs = Date.parse(
    time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"),
  );
  const { url = "", body = "" } = sent ?? {};
  const ours = signAwsRequest({
    ...request,
    url,
    body,
    nowMs,
    keys: { ...keys, sessionToken: "lent" },
  });
  expect(ours["authorization"]).toBe(authorization);
});
