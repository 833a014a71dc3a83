import { Hono } from "hono";
import { expect, it, onTestFinished, vi } from "vitest";
import { HeldLeases } from "../../../src/core/held-leases.js";
import { httpCache } from "../../../src/hono/index.js";
import { type Cache, createCache, defaultClient, herd, memory } from "../../../src/index.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";

/** Two processes with one store. */
function open(client = herd({ waitTimeout: "10s" })): [Cache, Cache] {
  const connectionFactory = memory();
  const make = (): Cache => createCache({ location: "memory:", connectionFactory, client, logger: false });
  const caches: [Cache, Cache] = [make(), make()];
  onTestFinished(async () => void (await Promise.all(caches.map((cache) => cache.close()))));
  return caches;
}

const held = ({ events }: Cache): string[] => events.held.list().map(({ key }) => key);
const waiters = ({ events, parts }: Cache): number => events.held.waiters + parts.sharing.waiters;

it("a lease is held by the process that loads, and callers of both processes wait, until the value is there", async () => {
  const [one, other] = open();
  const gate = deferred<number>();
  const load = () => gate.promise;
  const calls = [one.getOrSet("a", load)];
  await until(() => held(one).length === 1, { what: "the lease" });
  for (let i = 0; i < 4; i++) calls.push(one.getOrSet("a", load), other.getOrSet("a", load));
  await until(() => waiters(other) === 4, { what: "the callers of the other process" });
  expect([held(one), held(other), waiters(one)]).toEqual([[":1:a"], [], 4]);
  // Written meanwhile: who waits, waits on.
  await one.set("other", 1);
  await one.delete("a");
  expect(waiters(one)).toBe(4);
  gate.resolve(7);
  await Promise.all(calls);
  expect([held(one), held(other), waiters(one), waiters(other)]).toEqual([[], [], 0, 0]);
});

it("a call of several keys holds the leases of all, and waits once", async () => {
  const [one, other] = open();
  const gate = deferred<void>();
  const load = async (keys: readonly string[]) => {
    await gate.promise;
    return new Map(keys.map((key) => [key, 1]));
  };
  const calls = [one.getOrSetMany(["a", "b", "c"], load)];
  await until(() => held(one).length === 3, { what: "the leases" });
  calls.push(other.getOrSetMany(["a", "b"], load));
  await until(() => waiters(other) === 1, { what: "the caller of the other process" });
  gate.resolve();
  await Promise.all(calls);
  expect([held(one), waiters(other)]).toEqual([[], 0]);
});

it("a lease ends with a load that fails, and a caller that leaves waits no more", async () => {
  const [one] = open();
  const gate = deferred<number>();
  const leaving = new AbortController();
  const first = one.getOrSet("a", () => gate.promise);
  await until(() => held(one).length === 1, { what: "the lease" });
  const second = one.getOrSet("a", () => 1, { signal: leaving.signal });
  expect(waiters(one)).toBe(1);
  leaving.abort(new Error("left"));
  await expect(second).rejects.toThrow("left");
  expect(waiters(one)).toBe(0);
  gate.reject(new Error("no"));
  await expect(first).rejects.toThrow("no");
  expect([held(one), waiters(one)]).toEqual([[], 0]);
});

it("callers of the default client wait for the one that loads, without a lease", async () => {
  const [one] = open(defaultClient());
  const gate = deferred<number>();
  const calls = Array.from({ length: 5 }, () => one.getOrSet("a", () => gate.promise));
  await until(() => waiters(one) === 4, { what: "four callers that wait" });
  expect(held(one)).toEqual([]);
  gate.resolve(1);
  await Promise.all(calls);
  expect(waiters(one)).toBe(0);
});

it("callers that find a value wait for none", async () => {
  const [one] = open();
  await one.set("a", 1);
  const calls = Array.from({ length: 100 }, () => one.getOrSet("a", () => 2));
  for (let turns = 0; turns < 20; turns++) {
    expect(waiters(one)).toBe(0);
    await Promise.resolve();
  }
  await Promise.all(calls);
});

it("the HTTP cache holds a lease while the origin answers, and other requests wait", async () => {
  const [one] = open();
  const gate = deferred<void>();
  const app = new Hono();
  app.use(httpCache({ cache: one }));
  app.get("/", async (c) => {
    await gate.promise;
    return c.text("x", 200, { "cache-control": "max-age=60" });
  });
  const requests = [app.request("http://a.example/")];
  await until(() => held(one).length === 1, { what: "the lease" });
  requests.push(app.request("http://a.example/"), app.request("http://a.example/"));
  await until(() => waiters(one) === 2, { what: "two requests that wait" });
  gate.resolve();
  for (const response of await Promise.all(requests)) expect(await response.text()).toBe("x");
  await until(() => held(one).length === 0, { what: "the end of the lease" });
  expect(waiters(one)).toBe(0);
});

it("leases whose holders were dropped by the host are forgotten when their terms end", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const leases = new HeldLeases();
  for (let i = 0; i < 5_000; i++) {
    const nowMs = Date.now();
    leases.add({}, `key-${i}`, nowMs, nowMs + 1_000);
    vi.advanceTimersByTime(10);
  }
  // Without a look at them, at most twice as many are kept as are held.
  const size = (): number => leases.list(0).length;
  expect(size()).toBeLessThanOrEqual(1_000);
  expect(leases.list()).toHaveLength(100);
});
