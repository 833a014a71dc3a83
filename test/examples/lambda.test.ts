import type { APIGatewayProxyResult, LambdaContext, LambdaEvent } from "hono/aws-lambda";
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { buildCities } from "../../examples/hono-app/build-cities.js";
import { fromOf } from "./cache-status.js";

/** As a function URL sends it. */
function eventOf(rawPath: string, rawQueryString: string, { method = "GET", headers = {} } = {}): LambdaEvent {
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString,
    headers: { host: "a.lambda-url.eu-central-1.on.aws", ...headers },
    isBase64Encoded: false,
    body: null,
    requestContext: { http: { method, path: rawPath, sourceIp: "192.0.2.1" }, domainName: "a.on.aws" },
  } as unknown as LambdaEvent;
}

beforeAll(() => buildCities());

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

it("serves the example to Lambda's events", async () => {
  const { handler } = await import("../../examples/hono-app/lambda.js");
  const ask = async (path: string, query = "") =>
    (await handler(eventOf(path, query), { awsRequestId: "1" } as unknown as LambdaContext)) as APIGatewayProxyResult;
  const first = await ask("/cities/search", "q=lodz&n=1");
  expect([first.statusCode, fromOf(String(first.headers?.["cache-status"]))]).toEqual([200, "miss"]);
  expect(JSON.parse(first.body)).toMatchObject({ q: "lodz", results: [{ name: "Łódź" }] });
  const second = await ask("/cities/search", "q=lodz&n=1");
  expect([second.body, fromOf(String(second.headers?.["cache-status"]))]).toEqual([first.body, "hit"]);
  expect((await ask("/")).body).toContain("<!doctype html>");
});

it.each([
  [undefined, {}, 403, 404],
  ["secret", {}, 401, 401],
  ["secret", { authorization: "Bearer secret" }, 200, 200],
])(
  "with INSPECTOR_TOKEN=%s, the buttons and the inspector answer %j with %i and %i",
  async (token, headers, button, info) => {
    vi.stubEnv("INSPECTOR_TOKEN", token);
    const { handler } = await import("../../examples/hono-app/lambda.js");
    const status = async (path: string, method: string) => {
      const event = eventOf(path, "", { method, headers });
      const response = await handler(event, { awsRequestId: "1" } as unknown as LambdaContext);
      return (response as APIGatewayProxyResult).statusCode;
    };
    expect(await status("/demo/callers", "POST")).toBe(button);
    expect(await status("/inspector/api/info", "GET")).toBe(info);
  },
);
