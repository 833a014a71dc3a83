import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lambdaHandler, requestHandler, type WaitUntil, workerHandler } from "../../src/hosts/index.js";
import { type Cache, type ConnectionFactory, createCache, herd, memory } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";

/** A host where each invocation has a connection of its own, which tells when it ends. */
function separately(): ConnectionFactory & { open: number; closed: number } {
  const inner = memory();
  const factory: ConnectionFactory & { open: number; closed: number } = {
    shares: false,
    open: 0,
    closed: 0,
    connect(location, invocation) {
      const connection = inner.connect(location, invocation);
      factory.open++;
      const close = connection.close.bind(connection);
      connection.close = async () => {
        factory.closed++;
        await close();
      };
      return connection;
    },
  };
  return factory;
}

let factory: ReturnType<typeof separately>;
let cache: Cache;
beforeEach(() => {
  factory = separately();
  cache = createCache({ location: "memory:", connectionFactory: factory, client: herd() });
});
afterEach(() => cache.close());

/** Connections of invocations: the cache itself has one, too. */
const open = () => factory.open - 1;

function waits(): { waitUntil: WaitUntil; all: () => Promise<unknown>; works: Promise<unknown>[] } {
  const works: Promise<unknown>[] = [];
  return { works, waitUntil: (work) => void works.push(work), all: () => Promise.all(works) };
}

/** An entry that is served while it is computed anew. */
async function setStale(key: string, value: string): Promise<void> {
  await cache.set(key, value, { ttl: "1ms" });
  await until(async () => !(await cache.has(key)), { what: "the entry to be stale", everyMs: 1 });
}

describe("workerHandler", () => {
  it("makes the cache once from the Worker's env, and gives each request a view", async () => {
    const envs: unknown[] = [];
    const source = (env: { NAME: string }) => {
      envs.push(env);
      return cache;
    };
    const views = new Set<Cache>();
    const fetch = workerHandler(source, async (request, env, _context, view) => {
      views.add(view);
      return Response.json([env.NAME, await view.getOrSet(new URL(request.url).pathname, () => "loaded")]);
    });
    const { waitUntil, all } = waits();
    for (const _ of [1, 2]) {
      const response = await fetch(new Request("http://a/x"), { NAME: "n" }, { waitUntil });
      expect(await response.json()).toEqual(["n", "loaded"]);
    }
    await all();
    expect(envs).toEqual([{ NAME: "n" }]);
    expect(views.size).toBe(2);
    expect([open(), factory.closed]).toEqual([2, 2]);
  });

  it("keeps the connection while the response streams from the cache, and then closes it", async () => {
    await cache.setMany({ 0: "a", 1: "b", 2: "c" });
    const fetch = workerHandler(cache, (_request, _env, _context, view) => {
      let index = 0;
      const body = new ReadableStream({
        async pull(controller) {
          const part = await view.get<string>(String(index++));
          if (part === undefined) controller.close();
          else controller.enqueue(new TextEncoder().encode(part));
        },
      });
      return new Response(body, { status: 203, headers: { "x-kept": "yes" } });
    });
    const { waitUntil, all } = waits();
    const response = await fetch(new Request("http://a/"), {}, { waitUntil });
    expect(factory.closed).toBe(0);
    expect([response.status, response.headers.get("x-kept")]).toEqual([203, "yes"]);
    expect(await response.text()).toBe("abc");
    await all();
    expect(factory.closed).toBe(1);
  });

  it("closes the connection when the client disconnects during the response", async () => {
    const fetch = workerHandler(
      cache,
      () => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(10)) })),
    );
    const { waitUntil, all } = waits();
    const response = await fetch(new Request("http://a/"), {}, { waitUntil });
    await response.body?.cancel();
    await all();
    expect(factory.closed).toBe(1);
  });

  it("closes the connection when the handler throws, and passes the error on", async () => {
    const fetch = workerHandler(cache, () => {
      throw new Error("mine");
    });
    const { waitUntil, all } = waits();
    await expect(fetch(new Request("http://a/"), {}, { waitUntil })).rejects.toThrow("mine");
    await all();
    expect(factory.closed).toBe(1);
  });

  it("does not change a response without a body", async () => {
    const made = new Response(null, { status: 304 });
    const { waitUntil } = waits();
    expect(await workerHandler(cache, () => made)(new Request("http://a/"), {}, { waitUntil })).toBe(made);
  });
});

describe("lambdaHandler", () => {
  const event = {
    version: "2.0",
    routeKey: "$default",
    rawPath: "/x",
    rawQueryString: "",
    headers: { host: "a.lambda-url.eu-central-1.on.aws" },
    requestContext: { http: { method: "GET", path: "/x", sourceIp: "192.0.2.1" } },
    isBase64Encoded: false,
  };
  const context = { awsRequestId: "1", callbackWaitsForEmptyEventLoop: true };

  it("returns the handler's result after its background work has ended", async () => {
    const loading = deferred<string>();
    await setStale("key", "old");
    const handler = lambdaHandler(cache, async ({ rawPath }: typeof event, _context: typeof context, view) => {
      const body = await view.getOrSet("key", () => loading.promise);
      // Not waited for, as it happens.
      void view.set("written", "late");
      return { statusCode: 200, body: `${rawPath} ${body}` };
    });
    let answered = false;
    const answer = handler(event, context).finally(() => {
      answered = true;
    });
    // Several turns, in which it could answer.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    loading.resolve("new");
    const { body } = await answer;
    expect(body).toMatch(/^\/x (old|new)$/);
    expect([await cache.get("written"), await cache.get("key")]).toEqual(["late", "new"]);
  });

  it("keeps one cache for all invocations", async () => {
    let made = 0;
    const handler = lambdaHandler(
      () => {
        made++;
        return cache;
      },
      async (key: string, _context: unknown, view) => view.getOrSet(key, () => made),
    );
    expect(await Promise.all([handler("a", {}), handler("b", {})])).toEqual([1, 1]);
    expect(factory.closed).toBe(2);
  });
});

describe("requestHandler", () => {
  it("responds at once on a server, while background work continues", async () => {
    const loading = deferred<string>();
    const began = deferred();
    await setStale("key", "old");
    const handler = requestHandler(cache, async (_request, view, { params }: { params: string }) => {
      const value = await view.getOrSet("key", () => {
        began.resolve();
        return loading.promise;
      });
      return new Response(`${params} ${value}`);
    });
    const response = await handler(new Request("http://a/"), { params: "p" });
    expect(await response.text()).toBe("p old");
    await began.promise;
    loading.resolve("new");
  });

  it("passes background work to Vercel's waitUntil, which uses the platform's request context", async () => {
    const { waitUntil: platform, works } = waits();
    const key = Symbol.for("@vercel/request-context");
    const host = globalThis as { [key]?: { get(): { waitUntil: WaitUntil } } };
    host[key] = { get: () => ({ waitUntil: platform }) };
    try {
      const waitUntil: WaitUntil = (work) => host[key]?.get().waitUntil(work);
      const GET = requestHandler(cache, async (_request, view) => Response.json(await view.getOrSet("a", () => 1)), {
        waitUntil,
      });
      expect(await (await GET(new Request("http://a/"))).json()).toBe(1);
      expect(works.length).toBeGreaterThan(0);
      await Promise.all(works);
      expect(factory.closed).toBe(1);
    } finally {
      delete host[key];
    }
  });
});

describe("the option memo", () => {
  const request = new Request("http://a/");
  const { waitUntil } = waits();
  const read = async (view: Cache): Promise<number[]> => [await count(view), await count(view)];
  /** What a view answers for a key that is counted up beside it, with each read. */
  const count = async (view: Cache): Promise<number> => {
    await cache.incr("n", 1, { create: true });
    return Number(await view.get("n"));
  };
  const kinds: [string, (options?: { memo?: boolean }) => Promise<number[]>][] = [
    [
      "workerHandler",
      async (options) => {
        const fetch = workerHandler(cache, async (_r, _e, _c, view) => Response.json(await read(view)), options);
        return (await fetch(request, {}, { waitUntil })).json() as Promise<number[]>;
      },
    ],
    ["lambdaHandler", (options) => lambdaHandler(cache, (_event, _context, view) => read(view), options)({}, {})],
    [
      "requestHandler",
      async (options) => {
        const GET = requestHandler(cache, async (_request, view) => Response.json(await read(view)), options);
        return (await GET(request)).json() as Promise<number[]>;
      },
    ],
  ];

  it.each(kinds)("of %s reads each key once in an invocation, and again in the next", async (_name, run) => {
    expect(await run({ memo: true })).toEqual([1, 1]);
    expect(await run({ memo: true })).toEqual([3, 3]);
  });

  it.each(kinds)("of %s is off by default", async (_name, run) => {
    expect(await run()).toEqual([1, 2]);
  });

  it.each(kinds)(
    "of %s is refused where it is none of true and false, and so are unknown options",
    async (name, run) => {
      await expect(async () => run({ memo: "yes" as never })).rejects.toThrow(
        new RegExp(`^${name}: option "memo" is "yes"`),
      );
      await expect(async () => run({ memos: true } as never)).rejects.toThrow(
        new RegExp(`^${name}: unknown option "memos"`),
      );
    },
  );
});
