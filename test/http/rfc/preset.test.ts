import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergeCacheControl, parseCacheControl } from "../../../src/http/rfc/cache-control.js";
import { responseLabels } from "../../../src/http/rfc/invalidation.js";
import { type ResponseHead, toFields } from "../../../src/http/rfc/message.js";
import { makePolicy } from "../../../src/http/rfc/policy.js";
import { fromCacheControl } from "../../../src/http/rfc/response-policy.js";
import { evaluateStorage, type Storability } from "../../../src/http/rfc/storable.js";

type Lines = Record<string, string>;

const policy = makePolicy();
const timing = { requestTimeMs: 1_000_000, responseTimeMs: 1_000_000 };
const fieldsOf = (lines: Lines) => toFields(Object.entries(lines));

function evaluate(own: Lines, preset: Lines | undefined, request: Lines = {}): Storability {
  const response: ResponseHead = { status: 200, fields: fieldsOf(own), preset: preset && fieldsOf(preset) };
  const asked = { method: "GET", url: "https://a.example/", fields: fieldsOf(request) };
  return evaluateStorage(asked, response, timing, policy);
}

const storedOf = (result: Storability) => (result.storable ? result.stored : undefined);

const seconds = fc.integer({ min: 0, max: 100 });
const directive = fc.oneof(
  fc.constantFrom("no-store", "no-cache", "private", "public", "must-revalidate", "proxy-revalidate", "immutable"),
  fc.constantFrom('private="set-cookie"', 'no-cache="x-a"', "must-understand", "private; max-age=5"),
  seconds.map((n) => `max-age=${n}`),
  seconds.map((n) => `s-maxage=${n}`),
  seconds.map((n) => `stale-while-revalidate=${n}`),
  seconds.map((n) => `stale-if-error=${n}`),
);
const control = fc.array(directive, { maxLength: 4 }).map((all) => all.join(", "));
const lines = fc.record(
  {
    "cache-control": control,
    "cdn-cache-control": fc.constantFrom("max-age=7", "no-store", "private", "max-age=0"),
    expires: fc.constantFrom("0", "Mon, 12 Jan 1970 13:47:00 GMT"),
    vary: fc.constantFrom("accept", "x-tenant", "*"),
  },
  { requiredKeys: [] },
);

describe("a response of which middleware outside has said something, too", () => {
  it("is stored only where both allow it, and for no longer than either says", () => {
    const authorized = fc.constantFrom<Lines>({}, { authorization: "a" });
    fc.assert(
      fc.property(lines, lines, authorized, (own, preset, request) => {
        const together = storedOf(evaluate({ etag: '"1"', ...own }, preset, request));
        const alone = [own, preset].filter((each) => Object.keys(each).some((name) => name !== "vary"));
        if (!together) return;
        for (const each of alone) {
          const { vary: _vary, ...words } = each;
          const result = evaluate({ etag: '"1"', ...words }, undefined, request);
          if (!result.storable) expect(result.why).toBe("no-lifetime");
          const one = storedOf(result);
          // Words without a lifetime leave that to the other.
          if (one && one.lifetimeMs > 0) expect(together.lifetimeMs).toBeLessThanOrEqual(one.lifetimeMs);
          if (one?.alwaysValidate) expect(together.alwaysValidate).toBe(true);
          if (one?.neverStale) expect(together.neverStale).toBe(true);
        }
        expect(together.vary).toEqual(
          [...new Set([own.vary, preset.vary].filter((name) => name !== undefined))].sort(),
        );
      }),
      { numRuns: 3_000 },
    );
  });

  it("has no field of the middleware's among what is stored", () => {
    const stored = storedOf(evaluate({ "cache-control": "max-age=60" }, { "x-id": "1", vary: "a", "cache-tag": "t" }));
    expect(stored?.fields.map(([name]) => name)).toEqual(["cache-control", "date"]);
  });

  it("is found by the labels of both", () => {
    const labels = responseLabels(
      fieldsOf({ "cache-tag": "a" }),
      fieldsOf({ "cache-tag": "b", "surrogate-key": "c d" }),
    );
    expect(labels?.tags).toEqual(["a", "b", "c", "d"]);
  });
});

describe("Cache-Control of two for one client", () => {
  it.each([
    ["public, max-age=60", "private", "max-age=60, private"],
    ["max-age=60", "max-age=10", "max-age=10"],
    ["s-maxage=60", "max-age=10", "s-maxage=10, max-age=10"],
    ["public", "public, max-age=1", "public, max-age=1"],
    ['private="a"', 'private="b"', 'private="a, b"'],
    ['private="a"', "private", "private"],
    ['x="never ends', "max-age=1", "no-store"],
    ["max-age=nonsense", "max-age=5", "max-age=0"],
    ["no-cache", "", "no-cache"],
  ])("of %j and %j is %j", (one, other, both) => expect(mergeCacheControl(one, other)).toBe(both));

  it("permits nothing that one of them doesn't, and restricts all that one of them does", () => {
    fc.assert(
      fc.property(control, control, (one, other) => {
        const merged = fromCacheControl(parseCacheControl(mergeCacheControl(one, other)));
        for (const each of [one, other].map((text) => fromCacheControl(parseCacheControl(text)))) {
          if (each.noStore) expect(merged.noStore).toBe(true);
          if (each.private === true) expect(merged.private).toBe(true);
          if (each.noCache === true) expect(merged.noCache).toBe(true);
          if (each.mustRevalidate) expect(merged.mustRevalidate).toBe(true);
          if (!each.public) expect(merged.public).toBe(false);
          const lifetimeMs = each.sMaxageMs ?? each.maxAgeMs;
          if (lifetimeMs !== undefined) expect(merged.sMaxageMs ?? merged.maxAgeMs).toBeLessThanOrEqual(lifetimeMs);
        }
      }),
    );
  });
});
