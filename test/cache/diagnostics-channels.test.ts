import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, tracingChannel, unsubscribe } from "node:diagnostics_channel";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { EVENT_NAMES, type EventName } from "../../src/core/event-types.js";
import { createCache as createEdgeCache } from "../../src/index.edge.js";
import { createCache, createCaches, herd, memory } from "../../src/index.js";
import { createCache as createWorkerCache } from "../../src/index.workerd.js";
import { deferred } from "../support/deferred.js";
import { build, nodes, output, root } from "../support/project.js";
import { until } from "../support/wait.js";

type Message = Readonly<Record<string, unknown>>;

/** Subscribes until the test ends. */
function hear(name: string, listener: (message: Message) => void): () => void {
  const onMessage = (message: unknown) => listener(message as Message);
  subscribe(`valkey-edge-cache:${name}`, onMessage);
  const end = () => void unsubscribe(`valkey-edge-cache:${name}`, onMessage);
  onTestFinished(end);
  return end;
}

const STEPS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;

/** The steps of an operation from now on, each with its context. */
function traced(kind: string) {
  const steps: [(typeof STEPS)[number], Message][] = [];
  for (const step of STEPS) {
    const onStep = (context: unknown) => void steps.push([step, context as Message]);
    tracingChannel(`valkey-edge-cache:${kind}`)[step].subscribe(onStep);
    onTestFinished(() => void tracingChannel(`valkey-edge-cache:${kind}`)[step].unsubscribe(onStep));
  }
  return steps;
}

describe("channels of node:diagnostics_channel", () => {
  it("have every event as a listener gets it, and the cache's prefix", async () => {
    const published: [string, Message][] = [];
    const heard: [string, Message][] = [];
    for (const name of EVENT_NAMES) hear(name, (message) => void published.push([name, message]));
    const cache = createCache({ location: "memory:", keyPrefix: "pages", client: herd() });
    const listen = <E extends EventName>(name: E) =>
      cache.on(name, (event) => void heard.push([name, { cache: "pages", ...event }]));
    for (const name of EVENT_NAMES) listen(name);
    await cache.getOrSet("a", () => 1);
    await cache.getMany(["a", "b"]);
    await cache.expire("a", 60);
    await cache.delete("a");
    await cache.incr("a").catch(() => {});
    expect(published).toEqual(heard);
    expect(new Set(published.map(([name]) => name))).toEqual(
      new Set(["call", "hit", "miss", "load", "set", "delete", "expire", "claim", "error", "roundTrip"]),
    );
    expect(published).toContainEqual(["miss", { cache: "pages", method: "getMany", key: "", count: 1, shared: false }]);
  });

  it("are heard by a subscriber that comes later, until it leaves, and also of createCaches", async () => {
    const caches = createCaches({ one: { location: "memory:", keyPrefix: "one" } });
    const now = vi.spyOn(performance, "now");
    await caches.one.get("a");
    expect(now).not.toHaveBeenCalled();
    const misses: Message[] = [];
    const end = hear("miss", (message) => void misses.push(message));
    await caches.one.get("a");
    end();
    now.mockClear();
    await caches.one.get("a");
    expect(now).not.toHaveBeenCalled();
    expect(misses).toEqual([expect.objectContaining({ cache: "one", method: "get" })]);
  });

  it("that carry no calls cause no record of them", async () => {
    hear("http", () => {});
    hear("connection", () => {});
    const cache = createCache({ location: "memory:" });
    const now = vi.spyOn(performance, "now");
    await cache.get("a");
    expect(now).not.toHaveBeenCalled();
  });

  it("are absent in the entry points for Workers and for runtimes without TCP, which have events", async () => {
    const published = vi.fn();
    for (const name of EVENT_NAMES) hear(name, published);
    const steps = traced("call");
    for (const create of [createWorkerCache, createEdgeCache]) {
      const cache = create({ location: "memory:", connectionFactory: memory() });
      const call = vi.fn();
      cache.on("call", call);
      await cache.get("a");
      expect(call).toHaveBeenCalledOnce();
    }
    expect(published).not.toHaveBeenCalled();
    expect(steps).toEqual([]);
  });
});

describe("tracing channels", () => {
  it("trace a call, its round trips and its load, each with its steps", async () => {
    const [calls, loads, roundTrips] = [traced("call"), traced("load"), traced("roundTrip")];
    const cache = createCache({ location: "memory:", keyPrefix: "pages" });
    await cache.getOrSet("a", () => "value");
    const names = (steps: typeof calls) => steps.map(([step]) => step);
    const once = ["start", "end", "asyncStart", "asyncEnd"];
    expect(names(calls)).toEqual(once);
    expect(names(loads)).toEqual(once);
    expect(names(roundTrips)).toEqual([...once, ...once]);
    const key = String(cache.makeKey("a"));
    expect(calls[0]?.[1]).toMatchObject({
      cache: "pages",
      kind: "call",
      call: { method: "getOrSet", key, count: 1, misses: 1, durationMs: expect.any(Number), error: undefined },
    });
    expect(loads[0]?.[1]).toMatchObject({ cache: "pages", kind: "load", method: "getOrSet", key, count: 1 });
    expect(roundTrips.map(([, { commands }]) => commands)).toEqual([
      ...once.map(() => ["GET"]),
      ...once.map(() => ["SET"]),
    ]);
  });

  it("have a call's fields complete when it ends, and not before", async () => {
    const seen: unknown[] = [];
    const onStep = (step: string) => (context: unknown) => {
      const { misses, durationMs } = (context as { call: { misses: number; durationMs: number } }).call;
      seen.push([step, misses, durationMs > 0]);
    };
    const handlers = { start: onStep("start"), asyncStart: onStep("asyncStart") };
    tracingChannel("valkey-edge-cache:call").start.subscribe(handlers.start);
    tracingChannel("valkey-edge-cache:call").asyncStart.subscribe(handlers.asyncStart);
    await createCache({ location: "memory:" }).get("a");
    tracingChannel("valkey-edge-cache:call").start.unsubscribe(handlers.start);
    tracingChannel("valkey-edge-cache:call").asyncStart.unsubscribe(handlers.asyncStart);
    expect(seen).toEqual([
      ["start", 0, false],
      ["asyncStart", 1, true],
    ]);
  });

  it("have the error of what fails", async () => {
    const [calls, loads] = [traced("call"), traced("load")];
    const broken = new Error("broken");
    const cache = createCache({ location: "memory:" });
    await expect(cache.getOrSet("a", () => Promise.reject(broken))).rejects.toBe(broken);
    for (const steps of [calls, loads]) {
      expect(steps.map(([step]) => step)).toEqual(["start", "end", "error", "asyncStart", "asyncEnd"]);
      expect(steps[2]?.[1]).toMatchObject({ error: broken });
    }
    expect(calls[0]?.[1]).toMatchObject({ call: { error: broken, misses: 1 } });
  });

  it("carry the store that is bound to them into the loader, and into calls that it makes", async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: Record<string, string | undefined> = {};
    const bind = (kind: string) => {
      const { start } = tracingChannel(`valkey-edge-cache:${kind}`);
      start.bindStore(storage, (context) => `${storage.getStore() ?? "request"} > ${(context as Message).kind}`);
      onTestFinished(() => void start.unbindStore(storage));
    };
    for (const kind of ["call", "load", "roundTrip"]) bind(kind);
    hear("roundTrip", ({ commands }) => {
      seen[String(commands)] ??= storage.getStore();
    });
    const cache = createCache({ location: "memory:" });
    await cache.getOrSet("a", async () => {
      seen.loader = storage.getStore();
      await cache.has("b");
      return 1;
    });
    expect(seen).toEqual({
      GET: "request > call",
      loader: "request > call > load",
      GETRANGE: "request > call > load > call",
      SET: "request > call",
    });
    expect(storage.getStore()).toBeUndefined();
  });

  it.each(["getOrSet", "getOrSetMany"] as const)(
    "trace a refresh by %s outside of the request that began it",
    async (method) => {
      const steps = traced("refresh");
      const request = new AsyncLocalStorage<string>();
      const operation = new AsyncLocalStorage<string>();
      const { start } = tracingChannel("valkey-edge-cache:refresh");
      start.bindStore(operation, () => "refresh");
      onTestFinished(() => void start.unbindStore(operation));
      const cache = createCache({ location: "memory:", client: herd() });
      await cache.set("a", "old", { ttl: "1ms" });
      await until(() => cache.has("a").then((is) => !is), { what: "the entry to be stale" });
      const seen = deferred<unknown>();
      const load = (): string => {
        seen.resolve([request.getStore(), operation.getStore()]);
        return "new";
      };
      await request.run("request", async () => {
        if (method === "getOrSet") await cache.getOrSet("a", load);
        else await cache.getOrSetMany(["a"], () => ({ a: load() }));
      });
      expect(await seen.promise).toEqual([undefined, "refresh"]);
      await cache.close();
      expect(steps.map(([step]) => step)).toEqual(["start", "end", "asyncStart", "asyncEnd"]);
      expect(steps[0]?.[1]).toMatchObject({ kind: "refresh", method });
    },
  );

  it("trace nothing when only events are subscribed to", async () => {
    hear("call", () => {});
    const cache = createCache({ location: "memory:" });
    const trace = vi.spyOn(Object.getPrototypeOf(tracingChannel("any")), "tracePromise");
    await cache.get("a");
    expect(trace).not.toHaveBeenCalled();
    traced("call");
    await cache.get("a");
    expect(trace).toHaveBeenCalledOnce();
  });
});

describe("a subscriber that throws", async () => {
  const PROGRAM = `
    import { subscribe, tracingChannel } from "node:diagnostics_channel";
    import { createCache } from "valkey-edge-cache";

    const uncaught = [];
    process.on("uncaughtException", (error) => uncaught.push(error.message));
    const cache = createCache({ location: "memory:", onError: (error) => uncaught.push("onError: " + error.message) });
    subscribe("valkey-edge-cache:miss", () => { throw new Error("event"); });
    tracingChannel("valkey-edge-cache:call").subscribe({ start() { throw new Error("start"); } });
    const values = [await cache.get("a"), await cache.getOrSet("a", () => 1), await cache.get("a")];
    setImmediate(() => console.log(JSON.stringify({ values, uncaught: uncaught.sort() })));
  `;

  it.each([...(await nodes())])(
    "harms no call: Node %s reports what it threw as an uncaught exception",
    async (version, node) => {
      await build();
      const folder = join(root, ".cache", "diagnostics-channels");
      mkdirSync(folder, { recursive: true });
      const file = join(folder, `node-${version}.mjs`);
      writeFileSync(file, PROGRAM);
      expect(JSON.parse(await output(node, [file]))).toEqual({
        values: [null, 1, 1],
        uncaught: ["event", "event", "start", "start", "start"],
      });
    },
    60_000,
  );
});
