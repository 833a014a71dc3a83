import { connect } from "node:net";
import { describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { EVENT_NAMES } from "../../src/core/event-types.js";
import { type Cache, createCache } from "../../src/index.js";
import { inspector } from "../../src/inspector/index.js";
import { deferred } from "../support/deferred.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";
import { everyone, openCache, serveInspector, uniquePrefix, watchLive } from "./app.js";

/** Whether anything listens to a cache. */
function isWatched({ events }: Cache): boolean {
  return EVENT_NAMES.some((name) => {
    let made = false;
    events.emit(name, () => {
      made = true;
      throw new Error("made for a listener");
    });
    return made;
  });
}

/** As above; an event without a listener is not made. */
function hears(cache: Cache): boolean {
  try {
    return isWatched(cache);
  } catch {
    return true;
  }
}

describe("api/live of the inspector", () => {
  it("sends each second what happened in it, and what happened since it is watched", async () => {
    const cache = openCache();
    const base = `${await serveInspector({ cache })}/cache`;
    await cache.getOrSet("before", () => 1);
    await using live = await watchLive(base);
    await cache.getOrSet("user:1", () => ({ name: "Ann" }));
    await cache.getOrSet("user:1", () => ({ name: "Ann" }));
    await cache.get("post:1");
    await cache.getOrSet("post:2", () => Promise.reject(new Error("no"))).catch(() => {});
    const first = await live.next();
    expect(first?.process.now).toMatchObject({
      calls: 4,
      hits: 1,
      misses: 3,
      loads: 2,
      failedLoads: 1,
      failed: 1,
      errors: 1,
    });
    expect(first?.process.hottest.map(({ name, calls }) => [name, calls])).toEqual([
      ["user", 2],
      ["post", 2],
    ]);
    const key = String(cache.makeKey("user:1"));
    expect(first?.process.hottestKeys[0]).toMatchObject({ name: key, calls: 2, hits: 1, misses: 1, loads: 1 });
    expect(first?.process.slowestKeys.map(({ name }) => name)).toContain(key);
    expect(first?.events.map(({ name }) => name).filter((name) => name === "call")).toHaveLength(4);
    expect(first?.events.find(({ name }) => name === "error")).toMatchObject({ method: "getOrSet", detail: "no" });
    expect(first?.process.lastError).toBe("no");
    const second = await live.next();
    expect(second?.process.now.calls).toBe(0);
    expect(second?.process.total).toMatchObject({ calls: 4, hits: 1 });
    expect(second?.events).toEqual([]);
  });

  it("has each watcher's own second, and counts under the names of the option definition", async () => {
    const cache = openCache();
    const definition = (key: string): string | undefined => (key.endsWith("1") ? "ones" : undefined);
    const base = `${await serveInspector({ cache, definition })}/cache`;
    await using one = await watchLive(base);
    await cache.get("a1");
    expect((await one.next())?.process.now.calls).toBe(1);
    await using other = await watchLive(base);
    await cache.get("a1");
    await cache.get("a2");
    expect((await one.next())?.process.now.calls).toBe(2);
    const seen = await other.next();
    expect(seen?.process.now.calls).toBe(2);
    expect(seen?.process.total.calls).toBe(3);
    expect(seen?.process.hottest.map(({ name, calls }) => [name, calls])).toEqual([["ones", 2]]);
  });

  it("shows leases that are held, and callers that wait, also those from before it was watched", async () => {
    const cache = openCache();
    const base = `${await serveInspector({ cache })}/cache`;
    const loaded = deferred<number>();
    const callers = Array.from({ length: 500 }, () => cache.getOrSet("slow", () => loaded.promise));
    await using live = await watchLive(base);
    const during = await live.next();
    expect(during?.process.now).toMatchObject({ leasesHeld: 1, waiters: 499 });
    expect(during?.process.leases).toEqual([
      { key: String(cache.makeKey("slow")), sinceMs: expect.closeTo(Date.now(), -4) },
    ]);
    expect(during?.fleet?.leases).toMatchObject([{ key: String(cache.makeKey("slow")) }]);
    loaded.resolve(1);
    await Promise.all(callers);
    const after = await live.next();
    expect(after?.process.now).toMatchObject({ leasesHeld: 0, waiters: 0 });
    expect(after?.process.total.loads).toBe(1);
  });

  it("has listeners from the first watcher to the last, however they leave", async () => {
    const cache = openCache();
    const url = await serveInspector({ cache });
    expect(hears(cache)).toBe(false);
    const first = await watchLive(`${url}/cache`);
    await first.next();
    const second = await watchLive(`${url}/cache`);
    await second.next();
    expect(hears(cache)).toBe(true);
    await first.leave();
    await second.next();
    expect(hears(cache)).toBe(true);
    await second.leave();
    await until(() => !hears(cache), { what: "the end of all listeners" });
    // A client that loses its connection sends nothing to say so.
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write(`GET /cache/api/live HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
    await until(() => hears(cache), { what: "a watcher" });
    socket.destroy();
    await until(() => !hears(cache), { what: "the end of all listeners" });
  });

  it("drops and counts events that a client doesn't get, and keeps a bounded number of names", async () => {
    const cache = openCache();
    const base = `${await serveInspector({ cache })}/cache`;
    await using live = await watchLive(base);
    await live.next();
    for (let i = 0; i < 3_000; i++) await cache.get(`key-${i % 1_000}`);
    let dropped = 0;
    for (let calls = 0; calls < 3_000; ) {
      const second = await live.next();
      expect(second?.events.length).toBeLessThanOrEqual(50);
      expect(second?.process.hottestKeys).toHaveLength(20);
      calls += second?.process.now.calls ?? 0;
      dropped = second?.dropped ?? 0;
    }
    expect(dropped).toBeGreaterThan(2_000);
    expect(dropped).toBeLessThan(3_100);
  });

  it("skips seconds while a client reads nothing, so that no more than one is queued for it", async () => {
    const cache = openCache();
    const app = inspector({ cache, authorize: everyone });
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const response = await app.request("/api/live");
    const reader = response.body?.getReader();
    await reader?.read();
    for (let i = 0; i < 20; i++) {
      await cache.get("a");
      await vi.advanceTimersByTimeAsync(1_000);
    }
    const decoder = new TextDecoder();
    const counts: number[] = [];
    const read = async (): Promise<void> => {
      const step = await reader?.read();
      const [, data = "{}"] = /data: (.*)/.exec(decoder.decode(step?.value)) ?? [];
      counts.push(JSON.parse(data).process.total.calls);
    };
    await read();
    const next = read();
    await vi.advanceTimersByTimeAsync(1_000);
    await next;
    expect(counts).toEqual([1, 20]);
    await vi.advanceTimersByTimeAsync(1_000);
    // A client that reads nothing for a minute has left.
    await vi.advanceTimersByTimeAsync(70_000);
    expect(hears(cache)).toBe(false);
  });

  it("goes on while the store is gone, with its breaker and its last error, and other routes answer a reason", async () => {
    await using server = await startValkey();
    const cache = createCache({
      location: server.url,
      keyPrefix: uniquePrefix(),
      commandTimeout: "500ms",
      connectTimeout: "500ms",
      logger: false,
    });
    onTestFinished(() => cache.close());
    const base = `${await serveInspector({ cache })}/cache`;
    await using live = await watchLive(base);
    expect((await live.next())?.fleet?.processes).toHaveLength(1);
    await server.kill("SIGKILL");
    const until = async (test: (second: Awaited<ReturnType<typeof live.next>>) => boolean): Promise<void> => {
      for (let seconds = 0; seconds < 10; seconds++) if (test(await live.next())) return;
      throw new Error("it took more than 10 s");
    };
    await until((second) => second?.fleet === undefined && second?.process.lastError !== undefined);
    for (const path of ["/api/keys", "/api/entry?key=a"]) {
      const startedMs = performance.now();
      const response = await fetch(`${base}${path.replace("key=a", `key=${String(cache.makeKey("a"))}`)}`);
      expect([path, response.status]).toEqual([path, 503]);
      expect(await response.json()).toEqual({ error: expect.any(String) });
      expect(performance.now() - startedMs).toBeLessThan(5_000);
    }
    await server.restart();
    await until((second) => second?.fleet !== undefined && second.process.breaker === "closed");
  });

  it("is not reported to by an application that never calls its cache", async () => {
    const cache = openCache({ location: inject("valkeyUrl") });
    inspector({ cache, authorize: everyone });
    // It was made without I/O.
    expect(cache.connection.status().state).toBe("idle");
    expect(hears(cache)).toBe(false);
  });
});
