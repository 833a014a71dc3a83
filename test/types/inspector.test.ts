import type { Context } from "hono";
import { Hono } from "hono";
import { expect, expectTypeOf, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { type InspectorChange, type InspectorOptions, inspector, reportStatistics } from "../../src/inspector/index.js";

const cache = createCache({ location: "memory:" });

it("inspector() needs a cache and authorize, and is a Hono application", () => {
  expectTypeOf(inspector).returns.toEqualTypeOf<Hono>();
  expectTypeOf<InspectorOptions["authorize"]>().parameter(0).toEqualTypeOf<Context>();
  // @ts-expect-error -- nothing lets clients in by default
  expect(() => inspector({ cache })).toThrow('option "authorize" is missing');
  // @ts-expect-error -- there is no cache
  expect(() => inspector({ authorize: () => true })).toThrow('option "cache" is missing');
  // @ts-expect-error -- a name is no permission
  const named: InspectorOptions = { cache, authorize: () => "ann" };
  expect(inspector(named)).toBeInstanceOf(Hono);
});

it("authorize may answer in any way that a request may be refused, and the cache may be made later", () => {
  const answers: InspectorOptions["authorize"][] = [
    () => true,
    async (c) => c.req.header("x-role") === "admin",
    () => new Response(null, { status: 401 }),
    async () => new Response(null, { status: 401 }),
  ];
  for (const authorize of answers) inspector({ cache: (): Cache => cache, authorize, authorizeEvery: "30s" });
  expect(answers).toHaveLength(4);
});

it("changes say what was purged, and a report can be ended", () => {
  expectTypeOf<InspectorChange["outcome"]>().toEqualTypeOf<"done" | "failed" | "aborted">();
  expectTypeOf<InspectorChange["target"]["by"]>().toEqualTypeOf<"key" | "pattern" | "tag" | "namespace">();
  expectTypeOf(reportStatistics).toEqualTypeOf<(cache: Cache) => () => void>();
  reportStatistics(cache)();
});
