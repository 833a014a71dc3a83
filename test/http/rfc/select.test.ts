import { describe, expect, it } from "vitest";
import { requestDirectives } from "../../../src/http/rfc/cache-control.js";
import { makePolicy, type PolicyOptions } from "../../../src/http/rfc/policy.js";
import { type Decision, decide, type Failure, mayReplaceFailure, usefulMs } from "../../../src/http/rfc/select.js";
import { fields, type Lines, NOW, SECOND, stored } from "./exchanges.js";

interface Case {
  /** The stored Cache-Control. */
  has: string;
  /** How long it has been stored, in seconds. */
  after: number;
  asks?: Lines;
  options?: PolicyOptions;
  invalid?: boolean;
}

const candidate = ({ has, invalid = false, options = {} }: Case) => ({
  stored: stored({ "cache-control": has, etag: '"1"' }, 200, options),
  invalid,
});

function decision(one: Case): Decision {
  const asked = requestDirectives(fields(one.asks));
  return decide(candidate(one), asked, makePolicy(one.options), NOW + one.after * SECOND);
}

/** The decision in a word. */
function outcome(one: Case): string {
  const made = decision(one);
  return made.action === "gateway-timeout" ? made.action : `${made.action}: ${made.why}`;
}

const FRESH = "serve: fresh";
const ask = (value: string): Lines => ({ "cache-control": value });

describe("reusing stored responses (RFC 9111 §4)", () => {
  it("serves what is fresh, up to its lifetime (§4.2)", () => {
    expect(outcome({ has: "max-age=60", after: 0 })).toBe(FRESH);
    expect(outcome({ has: "max-age=60", after: 59.999 })).toBe(FRESH);
    expect(outcome({ has: "max-age=60", after: 60 })).toBe("validate: stale");
  });

  it("says how old a response is, and for how long it is fresh", () => {
    expect(decision({ has: "max-age=60", after: 20 })).toMatchObject({
      ageMs: 20_000,
      ttlMs: 40_000,
      revalidate: false,
    });
    expect(decision({ has: "max-age=60", after: 100 })).toMatchObject({ ageMs: 100_000, ttlMs: -40_000 });
  });

  it("validates what has no-cache, however fresh (§5.2.2.4)", () => {
    expect(outcome({ has: "max-age=60, no-cache", after: 1 })).toBe("validate: stale");
  });

  it("serves what must be revalidated while it is fresh, and validates it after (§§5.2.2.2, 5.2.2.8)", () => {
    for (const directive of ["must-revalidate", "proxy-revalidate"]) {
      expect(outcome({ has: `max-age=60, ${directive}`, after: 1 })).toBe(FRESH);
      expect(outcome({ has: `max-age=60, ${directive}`, after: 61, asks: ask("max-stale") })).toBe("validate: stale");
    }
    expect(outcome({ has: "s-maxage=60", after: 61, asks: ask("max-stale") })).toBe("validate: stale");
  });

  it("validates what was invalidated, before any use (§4.4)", () => {
    expect(outcome({ has: "max-age=60", after: 1, invalid: true })).toBe("validate: stale");
    const has = "max-age=60, stale-while-revalidate=60";
    expect(outcome({ has, after: 61, invalid: true, asks: ask("max-stale") })).toBe("validate: stale");
  });
});

describe("request directives (RFC 9111 §5.2.1)", () => {
  it("max-age limits the age", () => {
    expect(outcome({ has: "max-age=60", after: 10, asks: ask("max-age=10") })).toBe(FRESH);
    expect(outcome({ has: "max-age=60", after: 11, asks: ask("max-age=10") })).toBe("validate: request");
    expect(outcome({ has: "max-age=60", after: 0, asks: ask("max-age=0") })).toBe("validate: request");
    expect(outcome({ has: "max-age=60", after: 1, asks: ask("max-age=x") })).toBe("validate: request");
  });

  it("max-age refuses what is stale, unless max-stale is there too", () => {
    const has = "max-age=60, stale-while-revalidate=60";
    expect(outcome({ has, after: 70, asks: ask("max-age=100") })).toBe("validate: stale");
    expect(outcome({ has, after: 70, asks: ask("max-age=100, max-stale") })).toBe("serve: max-stale");
    expect(outcome({ has, after: 70, asks: ask("max-age=65, max-stale") })).toBe("validate: stale");
  });

  it("min-fresh asks for what stays fresh", () => {
    expect(outcome({ has: "max-age=60", after: 20, asks: ask("min-fresh=40") })).toBe(FRESH);
    expect(outcome({ has: "max-age=60", after: 20, asks: ask("min-fresh=41") })).toBe("validate: request");
    expect(outcome({ has: "max-age=60", after: 61, asks: ask("min-fresh=0, max-stale") })).toBe("validate: stale");
  });

  it("max-stale takes what is stale, by so much or by any", () => {
    expect(outcome({ has: "max-age=60", after: 70, asks: ask("max-stale=10") })).toBe("serve: max-stale");
    expect(outcome({ has: "max-age=60", after: 71, asks: ask("max-stale=10") })).toBe("validate: stale");
    expect(outcome({ has: "max-age=60", after: 7_000, asks: ask("max-stale") })).toBe("serve: max-stale");
    expect(outcome({ has: "max-age=60", after: 61, asks: ask("max-stale=x") })).toBe("validate: stale");
    expect(decision({ has: "max-age=60", after: 70, asks: ask("max-stale") })).toMatchObject({ revalidate: false });
  });

  it("no-cache asks for validation", () => {
    expect(outcome({ has: "max-age=60", after: 1, asks: ask("No-Cache") })).toBe("validate: request");
    expect(outcome({ has: "max-age=60", after: 61, asks: ask("no-cache, max-stale") })).toBe("validate: stale");
  });

  it("Pragma: no-cache does, too, but not beside Cache-Control (§5.4)", () => {
    expect(outcome({ has: "max-age=60", after: 1, asks: { pragma: "no-cache" } })).toBe("validate: request");
    expect(outcome({ has: "max-age=60", after: 1, asks: { pragma: "foo" } })).toBe(FRESH);
    expect(outcome({ has: "max-age=60", after: 1, asks: { pragma: "no-cache", ...ask("foo") } })).toBe(FRESH);
  });

  it("only-if-cached takes a stored response, or 504", () => {
    expect(outcome({ has: "max-age=60", after: 1, asks: ask("only-if-cached") })).toBe(FRESH);
    expect(outcome({ has: "max-age=60", after: 61, asks: ask("only-if-cached") })).toBe("gateway-timeout");
    expect(outcome({ has: "max-age=60", after: 61, asks: ask("only-if-cached, max-stale") })).toBe("serve: max-stale");
    expect(outcome({ has: "max-age=60", after: 1, asks: ask("only-if-cached, no-cache") })).toBe("gateway-timeout");
  });

  it("no-store doesn't keep a stored response from being used (§5.2.1.5)", () => {
    expect(outcome({ has: "max-age=60", after: 1, asks: ask("no-store") })).toBe(FRESH);
  });

  it("change nothing where clients have no say, but for only-if-cached", () => {
    const options = { requestDirectives: false };
    for (const value of ["no-cache", "max-age=0", "min-fresh=3600"]) {
      expect(outcome({ has: "max-age=60", after: 1, asks: ask(value), options })).toBe(FRESH);
    }
    expect(outcome({ has: "max-age=60", after: 61, asks: ask("max-stale"), options })).toBe("validate: stale");
    expect(outcome({ has: "max-age=60", after: 61, asks: ask("only-if-cached"), options })).toBe("gateway-timeout");
  });
});

describe("immutable (RFC 8246 §2)", () => {
  const has = "max-age=60, immutable";

  it("is not validated for a reload while it is fresh, but for a forced one", () => {
    expect(outcome({ has, after: 1, asks: ask("max-age=0") })).toBe(FRESH);
    expect(outcome({ has, after: 1, asks: ask("no-cache") })).toBe("validate: request");
  });

  it("is validated when stale", () => expect(outcome({ has, after: 61 })).toBe("validate: stale"));
});

describe("stale-while-revalidate (RFC 5861 §3)", () => {
  const has = "max-age=60, stale-while-revalidate=30";

  it("serves what is stale, and has it validated, for so long after expiry", () => {
    expect(decision({ has, after: 60 })).toMatchObject({ action: "serve", revalidate: true, ttlMs: 0 });
    expect(outcome({ has, after: 89.999 })).toBe("serve: stale-while-revalidate");
    expect(outcome({ has, after: 90 })).toBe("validate: stale");
  });

  it("is served for only-if-cached", () => {
    expect(outcome({ has, after: 61, asks: ask("only-if-cached") })).toBe("serve: stale-while-revalidate");
  });

  it("gives way to whatever forbids serving stale (RFC 9111 §4.2.4)", () => {
    for (const directive of ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"]) {
      expect(outcome({ has: `${has}, ${directive}`, after: 61 })).toBe("validate: stale");
    }
  });

  it("has a default where one is configured, and the response says nothing", () => {
    const options = { staleWhileRevalidate: 30 };
    expect(outcome({ has: "max-age=60", after: 61, options })).toBe("serve: stale-while-revalidate");
    expect(outcome({ has: "max-age=60, stale-while-revalidate=0", after: 61, options })).toBe("validate: stale");
  });
});

describe("stale-if-error (RFC 5861 §4)", () => {
  const replaces = (one: Case, failure: Failure): boolean => {
    const policy = makePolicy(one.options);
    const asked = requestDirectives(fields(one.asks));
    return mayReplaceFailure(candidate(one), failure, asked, policy, NOW + one.after * SECOND);
  };
  const has = "max-age=60, stale-if-error=30";

  it.each([500, 502, 503, 504])("replaces a %i, for so long after expiry", (status) => {
    expect(replaces({ has, after: 89 }, { status })).toBe(true);
    expect(replaces({ has, after: 90 }, { status })).toBe(false);
  });

  it.each([400, 403, 404, 410, 501, 505, 599, 200])("doesn't replace a %i", (status) => {
    expect(replaces({ has, after: 61 }, { status })).toBe(false);
  });

  it("replaces an origin that can't be reached, within its window", () => {
    expect(replaces({ has, after: 89 }, "unreachable")).toBe(true);
    expect(replaces({ has, after: 90 }, "unreachable")).toBe(false);
  });

  it("replaces nothing when absent, but an origin that can't be reached (RFC 9111 §4.2.4)", () => {
    expect(replaces({ has: "max-age=60", after: 61 }, { status: 503 })).toBe(false);
    expect(replaces({ has: "max-age=60", after: 61 }, "unreachable")).toBe(true);
    expect(replaces({ has: "max-age=60", after: 61, options: { staleIfUnreachable: false } }, "unreachable")).toBe(
      false,
    );
  });

  it("may come with the request, and has a default where one is configured", () => {
    expect(replaces({ has: "max-age=60", after: 61, asks: ask("stale-if-error=5") }, { status: 500 })).toBe(true);
    expect(replaces({ has: "max-age=60", after: 66, asks: ask("stale-if-error=5") }, { status: 500 })).toBe(false);
    expect(replaces({ has: "max-age=60", after: 61, options: { staleIfError: 30 } }, { status: 500 })).toBe(true);
  });

  it("gives way to whatever forbids serving stale", () => {
    for (const directive of ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"]) {
      expect(replaces({ has: `${has}, ${directive}`, after: 61 }, { status: 503 })).toBe(false);
      expect(replaces({ has: `${has}, ${directive}`, after: 61 }, "unreachable")).toBe(false);
    }
    expect(replaces({ has, after: 61, asks: ask("no-cache") }, "unreachable")).toBe(false);
    expect(replaces({ has, after: 61, invalid: true }, "unreachable")).toBe(false);
  });
});

describe("how long a stored response is of use", () => {
  const useful = (has: string, after: number, graceMs = 0): number =>
    usefulMs(candidate({ has, after }).stored, graceMs, NOW + after * SECOND) / SECOND;

  it("is its lifetime, and the longest window after it", () => {
    expect(useful("max-age=60", 20)).toBe(40);
    expect(useful("max-age=60, stale-while-revalidate=30, stale-if-error=10", 20)).toBe(70);
    expect(useful("max-age=60, stale-while-revalidate=30, must-revalidate", 20)).toBe(40);
  });

  it("is the grace, at least, from now or from expiry", () => {
    expect(useful("max-age=60, stale-if-error=10", 20, 100_000)).toBe(140);
    expect(useful("max-age=60", 90, 100_000)).toBe(100);
    expect(useful("no-cache", 1, 100_000)).toBe(100);
  });
});
