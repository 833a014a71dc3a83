import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../../../src/core/errors.js";
import { makePolicy, type PolicyOptions } from "../../../src/http/rfc/policy.js";

describe("policy options", () => {
  it("have defaults", () => {
    expect(makePolicy()).toEqual({
      targetedFields: ["cdn-cache-control"],
      credentialFields: ["authorization"],
      defaultTtlMs: undefined,
      heuristicFraction: 0.1,
      heuristicLimitMs: 86_400_000,
      heuristicErrors: true,
      statuses: undefined,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      staleIfUnreachable: true,
      requestDirectives: true,
    });
  });

  it("take durations, and field names in any case", () => {
    const policy = makePolicy({ defaultTtl: "1m", staleIfError: 5, targetedFields: ["My-Cache-Control"] });
    expect(policy).toMatchObject({ defaultTtlMs: 60_000, staleIfErrorMs: 5_000, targetedFields: ["my-cache-control"] });
  });

  it.each([
    { ttl: 1 },
    { defaultTtl: -1 },
    { heuristicFraction: 2 },
    { heuristicLimit: "1 day" },
    { heuristicErrors: 1 },
    { cacheableStatusCodes: [99] },
    { targetedFields: "cdn" },
    { targetedFields: ["a b"] },
    { requestDirectives: null },
  ])("are refused when unknown or wrong: %j", (wrong) => {
    const [name = ""] = Object.keys(wrong);
    expect(() => makePolicy(wrong as PolicyOptions)).toThrow(ConfigurationError);
    expect(() => makePolicy(wrong as PolicyOptions)).toThrow(`"${name}"`);
  });
});
