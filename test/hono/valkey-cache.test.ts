import { Hono } from "hono";
import { type APIGatewayProxyResult, handle, type LambdaContext, type LambdaEvent } from "hono/aws-lambda";
import { stream } from "hono/streaming";
import { describe, expect, it, onTestFinished } from "vitest";
import { type ValkeyCacheEnv, type ValkeyCacheOptions, valkeyCache } from "../../src/hono/index.js";
import { type Cache, ConfigurationError, createCache, herd } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";

function memoryCache(): Cache {
  const cache = createCache({ location: "memory:", client: herd() });
  onTestFinished(() => cache.close());
  return cache;
}

/** A Worker's execution context, and when all that it was handed has settled. */
function execution() {
  const works: Promise<unknown>[] = [];
  const context = {
    waitUntil: (work: Promise<unknown>) => void works.push(work),
    passThroughOnException: () => {},
    props: {},
  };
  return { context, works, all: () => Promise.all(works) };
}

async function setStale(cache: Cache, key: string, value: string): Promise<void> {
  await cache.set(key, value, { ttl: "1ms" });
  await until(async () => !(await cache.has(key)), { what: "the entry to be stale", everyMs: 1 });
}

describe("valkeyCache", () => {
  it("reads each key once in a request, and again in the next one, by choice", async () => {
    const whole = memoryCache();
    const app = new Hono<ValkeyCacheEnv>();
    app.use("/once", valkeyCache(whole, { memo: true }));
    app.use("/twice", valkeyCache(whole));
    let reads = 0;
    whole.on("roundTrip", () => void reads++);
    app.get("/:path", async (c) => {
      reads = 0;
      for (let i = 0; i < 2; i++) await c.var.cache.get("a");
      return c.text(String(reads));
    });
    const counts: string[] = [];
    for (const path of ["/once", "/twice", "/once"]) counts.push(await (await app.request(path)).text());
    expect(counts).toEqual(["1", "2", "1"]);
  });

  it("puts a cache at c.var.cache, typed, another for each request, of one that is made once", async () => {
    const made: unknown[] = [];
    const seen = new Set<Cache>();
    const app = new Hono<ValkeyCacheEnv & { Bindings: { VALKEY_URL: string } }>();
    app.use(
      valkeyCache((c) => {
        made.push(c.env.VALKEY_URL);
        return memoryCache();
      }),
    );
    app.get("/:key", async (c) => {
      seen.add(c.var.cache);
      return c.text(await c.var.cache.getOrSet(c.req.param("key"), () => `loaded ${made.length}`));
    });
    for (const _ of [1, 2]) {
      const response = await app.request("/a", {}, { VALKEY_URL: "valkey://a" });
      expect(await response.text()).toBe("loaded 1");
    }
    expect(made).toEqual(["valkey://a"]);
    expect(seen.size).toBe(2);
  });

  it("closes it once the body has been sent, which may come from the cache until then", async () => {
    const cache = memoryCache();
    await cache.set("part", "from the cache");
    const app = new Hono<ValkeyCacheEnv>().use(valkeyCache(cache));
    const closed: string[] = [];
    const gate = deferred();
    app.get("/", (c) => {
      const close = c.var.cache.close.bind(c.var.cache);
      c.var.cache.close = () => {
        closed.push("closed");
        return close();
      };
      c.header("x-kept", "yes");
      return stream(c, async (out) => {
        await gate.promise;
        await out.write((await c.var.cache.get<string>("part")) ?? "nothing");
      });
    });
    const { context, all } = execution();
    const response = await app.request("/", {}, {}, context);
    expect(closed).toEqual([]);
    gate.resolve();
    expect(await response.text()).toBe("from the cache");
    expect([...response.headers].filter(([name]) => name === "x-kept")).toEqual([["x-kept", "yes"]]);
    await all();
    expect(closed).toEqual(["closed"]);
  });

  it("closes it after a handler that throws, too", async () => {
    const { context, works, all } = execution();
    const app = new Hono<ValkeyCacheEnv>().use(valkeyCache(memoryCache()));
    app.get("/", () => {
      throw new Error("mine");
    });
    app.onError((error, c) => c.text(error.message, 500));
    const response = await app.request("/", {}, {}, context);
    expect([response.status, await response.text()]).toEqual([500, "mine"]);
    expect(works).toHaveLength(1);
    await all();
  });

  it("hands what refreshes in the background to the host", async () => {
    const cache = memoryCache();
    await setStale(cache, "a", "old");
    const loading = deferred<string>();
    const app = new Hono<ValkeyCacheEnv>().use(valkeyCache(cache));
    app.get("/", async (c) => c.text(await c.var.cache.getOrSet("a", () => loading.promise)));
    const { context, all } = execution();
    expect(await (await app.request("/", {}, {}, context)).text()).toBe("old");
    loading.resolve("new");
    await all();
    expect(await cache.get("a")).toBe("new");
  });

  it("takes another waitUntil", async () => {
    const works: Promise<unknown>[] = [];
    const options: ValkeyCacheOptions = { waitUntil: (_, work) => void works.push(work) };
    const app = new Hono<ValkeyCacheEnv>().use(valkeyCache(memoryCache(), options));
    app.get("/", (c) => c.text("answer"));
    expect(await (await app.request("/")).text()).toBe("answer");
    expect(works).toHaveLength(1);
    await Promise.all(works);
  });

  it("leaves the response alone where the process goes on", async () => {
    const app = new Hono<ValkeyCacheEnv>().use(valkeyCache(memoryCache()));
    const made = new Response("answer");
    app.get("/", () => made);
    const response = await app.request("/");
    expect(response.body).toBe(made.body);
    expect(await response.text()).toBe("answer");
  });

  it.each([
    [{ awaitBackground: "yes" }, /option "awaitBackground"/],
    [{ waitUntil: 1 }, /option "waitUntil"/],
    [{ until: 1 }, /unknown option "until"/],
  ])("refuses %o", (options, message) => {
    const make = () => valkeyCache(memoryCache(), options as unknown as ValkeyCacheOptions);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });
});

describe("valkeyCache on AWS Lambda", () => {
  /** As a function URL sends it. */
  const event = {
    version: "2.0",
    routeKey: "$default",
    rawPath: "/",
    rawQueryString: "",
    headers: { host: "a.lambda-url.eu-central-1.on.aws" },
    isBase64Encoded: false,
    body: null,
    requestContext: { http: { method: "GET", path: "/", sourceIp: "192.0.2.1" }, domainName: "a.on.aws" },
  } as unknown as LambdaEvent;
  const context = { awsRequestId: "1", callbackWaitsForEmptyEventLoop: true } as unknown as LambdaContext;

  it("answers when what runs in the background has ended, as the process freezes then", async () => {
    const cache = memoryCache();
    await setStale(cache, "a", "old");
    const loading = deferred<string>();
    const app = new Hono<ValkeyCacheEnv>().use(valkeyCache(cache));
    app.get("/", async (c) => c.text(await c.var.cache.getOrSet("a", () => loading.promise)));
    let answered = false;
    const answer = Promise.resolve(handle(app)(event, context)).finally(() => {
      answered = true;
    });
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    loading.resolve("new");
    const { statusCode, body } = (await answer) as APIGatewayProxyResult;
    expect([statusCode, body]).toEqual([200, "old"]);
    expect(await cache.get("a")).toBe("new");
  });
});
