import { type DiagLogger, diag, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { createCache, herd } from "../../src/index.js";
import { instrument } from "../../src/otel/index.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";
import { type Sdk, startSdk } from "./sdk.js";

const valkeyUrl = inject("valkeyUrl");
const { hostname, port } = new URL(valkeyUrl);
const tracer = trace.getTracer("application");
let prefixes = 0;
const newPrefix = () => `otel-spans-${process.pid}-${prefixes++}`;

describe("spans", () => {
  let sdk: Sdk;
  const ends: (() => unknown)[] = [];

  beforeEach(() => {
    sdk = startSdk();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    await sdk[Symbol.asyncDispose]();
  });

  function newCache(options: Parameters<typeof instrument>[1] = {}, client = herd()) {
    const cache = createCache({ location: valkeyUrl, keyPrefix: newPrefix(), client, logger: false });
    const end = instrument(cache, { name: "test", metrics: false, ...options });
    ends.push(() => cache.close(), end);
    return { cache, end };
  }

  const named = (name: string) => sdk.spans().filter((span) => span.name === name);
  const only = (name: string): ReadableSpan => {
    const [span, ...others] = named(name);
    if (!span || others.length > 0) throw new Error(`there are ${named(name).length} spans ${name}`);
    return span;
  };
  const parentOf = (span: ReadableSpan) => span.parentSpanContext?.spanId;
  const idOf = (span: ReadableSpan) => span.spanContext().spanId;

  it("of a call are children of the request's span, and have the load and the round trips as children", async () => {
    const { cache } = newCache();
    await tracer.startActiveSpan("request", async (request) => {
      await cache.getOrSet("a", () =>
        tracer.startActiveSpan("query", async (query) => {
          query.end();
          return 1;
        }),
      );
      request.end();
    });
    const call = only("cache.getOrSet");
    expect(parentOf(call)).toBe(idOf(only("request")));
    expect(parentOf(only("cache.load"))).toBe(idOf(call));
    expect(parentOf(only("query"))).toBe(idOf(only("cache.load")));
    const roundTrips = sdk.spans().filter(({ kind }) => kind === SpanKind.CLIENT);
    expect(roundTrips.length).toBeGreaterThanOrEqual(2);
    expect(roundTrips.map(parentOf)).toEqual(roundTrips.map(() => idOf(call)));
    expect(new Set(sdk.spans().map((span) => span.spanContext().traceId)).size).toBe(1);
  });

  it("of round trips have the attributes of the conventions for databases", async () => {
    const { cache } = newCache();
    await cache.get("a");
    const span = only(`GET ${hostname}:${port}`);
    expect(span.kind).toBe(SpanKind.CLIENT);
    expect(span.attributes).toEqual({
      "cache.name": "test",
      "db.system.name": "redis",
      "db.operation.name": "GET",
      "db.namespace": "0",
      "server.address": hostname,
      "server.port": Number(port),
    });
    await cache.connection.send([
      ["SET", cache.makeKey("x").toString(), "1"],
      ["LPUSH", cache.makeKey("x").toString(), "1"],
    ]);
    const failed = only(`PIPELINE ${hostname}:${port}`);
    expect(failed.attributes).toMatchObject({
      "db.operation.name": "PIPELINE",
      "db.operation.batch.size": 2,
      "db.response.status_code": "WRONGTYPE",
      "error.type": "WRONGTYPE",
    });
    expect(failed.status).toEqual({ code: SpanStatusCode.ERROR });
  });

  it("fill Sentry's view of caches", async () => {
    const { cache } = newCache({ keys: (key) => key.replace(/^.*:/, "") });
    await cache.set("a", "one");
    await cache.get("a");
    await cache.get("b");
    await cache.getMany(["a", "b"]);
    await cache.delete("a");
    await cache.clear();
    expect(only("cache.set").attributes).toMatchObject({
      "sentry.op": "cache.put",
      "cache.key": ["a"],
      "cache.item_size": 5,
    });
    const [hit, miss] = named("cache.get");
    expect(hit?.attributes).toMatchObject({
      "sentry.op": "cache.get",
      "cache.key": ["a"],
      "cache.hit": true,
      "cache.item_size": 5,
      "cache.success": true,
    });
    expect(miss?.attributes).toMatchObject({ "sentry.op": "cache.get", "cache.key": ["b"], "cache.hit": false });
    expect(miss?.attributes).not.toHaveProperty("cache.item_size");
    expect(only("cache.getMany").attributes).toMatchObject({
      "sentry.op": "cache.get",
      "cache.hit": false,
      "cache.keys": 2,
      "cache.hits": 1,
      "cache.misses": 1,
    });
    expect(only("cache.delete").attributes).toMatchObject({ "sentry.op": "cache.remove", "cache.key": ["a"] });
    expect(only("cache.clear").attributes).toMatchObject({ "sentry.op": "cache.flush" });
  });

  it("of a background refresh link the call that began it, and are not in its trace", async () => {
    const { cache } = newCache({}, herd({ grace: "1m" }));
    const loading = deferred();
    const answered = await tracer.startActiveSpan("request", async (request) => {
      // A ttl of 10 ms has passed, or is soon over: the entry is stale then.
      const value = await until(
        async () => {
          const got = await cache.getOrSet("b", () => "first", { ttl: 0.01 });
          const stale = await cache.getOrSet("b", () => loading.promise.then(() => "second"), { ttl: 60 });
          return sdk.spans().some(({ attributes }) => attributes["cache.stale"] === 1) && (stale ?? got);
        },
        { what: "a stale answer" },
      );
      request.end();
      return value;
    });
    expect(answered).toBe("first");
    loading.resolve();
    const refresh = await until(() => named("cache.refresh").at(-1), { what: "the end of the refresh" });
    const stale = sdk.spans().find(({ attributes }) => attributes["cache.stale"] === 1);
    expect(parentOf(refresh)).toBeUndefined();
    expect(refresh.links.map(({ context }) => context.spanId)).toEqual([stale && idOf(stale)]);
    expect(refresh.spanContext().traceId).not.toBe(stale?.spanContext().traceId);
    const load = named("cache.load").find((span) => parentOf(span) === idOf(refresh));
    expect(load).toBeDefined();
  });

  it("of calls that wait for another process say how long, and that the claim was lost", async () => {
    const { cache } = newCache();
    const other = createCache({ location: valkeyUrl, keyPrefix: newPrefix(), client: herd() });
    ends.push(() => other.close());
    const [began, loading] = [deferred(), deferred()];
    const load = other.getOrSet(cache.makeKey("a"), async () => {
      began.resolve();
      await loading.promise;
      return "theirs";
    });
    await began.promise;
    cache.on("claim", () => loading.resolve());
    await cache.getOrSet("a", () => "ours");
    await load;
    expect(only("cache.getOrSet").attributes).toMatchObject({
      "cache.hit": false,
      "cache.claims.lost": 1,
      "cache.wait.duration": expect.any(Number),
    });
  });

  it("of failures have the status, and the class of the error as error.type", async () => {
    const { cache } = newCache();
    await expect(cache.getOrSet("a", () => Promise.reject(new RangeError("private")))).rejects.toThrow("private");
    for (const name of ["cache.getOrSet", "cache.load"]) {
      expect(only(name).status).toEqual({ code: SpanStatusCode.ERROR });
      expect(only(name).attributes["error.type"]).toBe("RangeError");
      expect(only(name).events).toEqual([]);
    }
    expect(only("cache.getOrSet").attributes).toMatchObject({ "cache.hit": false, "cache.success": false });
  });

  it("can be had without round trips, or not at all", async () => {
    const { cache } = newCache({ spans: "calls" });
    const { cache: silent } = newCache({ spans: "none" });
    await cache.getOrSet("a", () => 1);
    await silent.getOrSet("a", () => 1);
    expect(
      sdk
        .spans()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(["cache.getOrSet", "cache.load"]);
  });

  it("of views are those of their cache, which can be instrumented once", async () => {
    const { cache, end } = newCache();
    const view = cache.for();
    await view.get("a");
    await view.close();
    expect(only("cache.get").attributes["cache.name"]).toBe("test");
    expect(() => instrument(view)).toThrow("instrument: this cache, or a view of it, is instrumented already");
    end();
    end();
    ends.push(instrument(view));
  });

  it("are of a cache: anything else is refused", () => {
    for (const wrong of [undefined, null, "cache", {}, { events: {} }])
      expect(() => instrument(wrong as never)).toThrow(
        /^instrument: .* is not a cache; give what createCache\(\) returns/,
      );
  });

  it("that are under way when the instrumentation ends are ended, and no others begin", async () => {
    const { cache, end } = newCache();
    const [began, loading] = [deferred(), deferred()];
    const call = cache.getOrSet("a", async () => {
      began.resolve();
      await loading.promise;
    });
    await began.promise;
    end();
    loading.resolve();
    await call;
    await cache.get("b");
    expect(named("cache.getOrSet")).toHaveLength(1);
    expect(named("cache.get")).toEqual([]);
  });

  it("show a hash of the key that is the same for the same key", async () => {
    const { cache } = newCache({ keys: "hash" });
    for (const key of ["a", "a", "b"]) await cache.get(key);
    const [a, again, b] = named("cache.get").map(({ attributes }) => attributes["cache.key"]);
    expect(a).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/)]);
    expect(again).toEqual(a);
    expect(b).not.toEqual(a);
  });
});

it("a call goes on when the SDK, or the function that shows keys, throws", async () => {
  const broken = (): never => {
    throw new Error("broken");
  };
  const processor: SpanProcessor = {
    onStart: broken,
    onEnd: broken,
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  const logger = { error: vi.fn(), warn() {}, info() {}, debug() {}, verbose() {} } satisfies DiagLogger;
  diag.setLogger(logger);
  await using sdk = startSdk({ processors: [processor] });
  await using cache = createCache({ location: "memory:", client: herd() });
  const end = instrument(cache, { keys: broken });
  await expect(cache.getOrSet("a", () => 1)).resolves.toBe(1);
  await expect(cache.getOrSet("b", () => Promise.reject(new Error("theirs")))).rejects.toThrow("theirs");
  expect(logger.error.mock.calls.map(([message]) => message)).toContainEqual(
    expect.stringContaining("no span was recorded"),
  );
  expect(sdk.spans()).toEqual([]);
  end();
  diag.disable();
});

it.each([
  [{ keys: "all" }, 'instrument: option "keys" is "all"; give "none" or "hash", or a function of the stored key'],
  [{ spans: true }, 'instrument: option "spans" is true; give "all" or "calls" or "none"'],
  [{ name: "" }, 'instrument: option "name" is ""; give a string that is not empty'],
  [{ metric: true }, 'instrument: unknown option "metric"; known options are: name, metrics, durations, spans, keys'],
])("instrument refuses the options %j", async (options, message) => {
  await using cache = createCache({ location: "memory:" });
  expect(() => instrument(cache, options as object)).toThrow(message);
});
