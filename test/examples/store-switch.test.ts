import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { StoreSwitch } from "../../examples/hono-app/store-switch.js";
import { type Cache, ConnectionError, createCache, glide, memory, nearCache } from "../../src/index.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

describe("the switch that makes the example's store fail", () => {
  let storeSwitch: StoreSwitch;
  let cache: Cache;
  const breaker: string[] = [];

  beforeEach(async () => {
    storeSwitch = new StoreSwitch();
    cache = createCache({ location: "memory:", connectionFactory: storeSwitch.wrap(memory()), logger: false });
    breaker.length = 0;
    cache.on("breaker", ({ state }) => void breaker.push(state));
    await cache.set("key", 1);
    vi.useFakeTimers();
  });
  afterEach(async () => {
    vi.useRealTimers();
    await cache.close();
  });

  /** A read, once it has failed. */
  const failed = async () => {
    const settled = expect(cache.get("key")).rejects.toThrow(ConnectionError);
    await vi.advanceTimersByTimeAsync(100);
    await settled;
  };

  it("lets all pass while the store is well", async () => {
    expect(await cache.get("key")).toBe(1);
    expect(storeSwitch.outage()).toMatchObject({ isFailing: false, breaker: "closed", failed: 0, refused: 0 });
    expect(await cache.health()).toMatchObject({ state: "closed", transport: "memory" });
  });

  it("lets round trips fail after 100 ms, and at once after three", async () => {
    storeSwitch.failFor(5_000);
    for (let i = 0; i < 3; i++) await failed();
    expect(storeSwitch.outage()).toEqual({
      isFailing: true,
      remainingMs: 4_700,
      breaker: "open",
      failed: 3,
      refused: 0,
      openedAfterMs: 300,
    });
    await expect(cache.get("key")).rejects.toThrow("the breaker is open after 3 failures");
    expect(storeSwitch.outage().refused).toBe(1);
    expect(await cache.health()).toMatchObject({ state: "open", lastError: expect.any(ConnectionError) });
    expect(breaker).toEqual(["open"]);
  });

  it("lets one round trip through each half second, and all once that one is answered", async () => {
    storeSwitch.failFor(1_000);
    for (let i = 0; i < 3; i++) await failed();
    await vi.advanceTimersByTimeAsync(500);
    expect(storeSwitch.outage().breaker).toBe("half-open");
    const probe = expect(cache.get("key")).rejects.toThrow("does not answer");
    await expect(cache.get("other")).rejects.toThrow("the breaker is open");
    await vi.advanceTimersByTimeAsync(100);
    await probe;
    expect(storeSwitch.outage()).toMatchObject({ breaker: "open", failed: 4, refused: 1 });
    await vi.advanceTimersByTimeAsync(500);
    expect(await cache.get("key")).toBe(1);
    expect(storeSwitch.outage()).toMatchObject({ isFailing: false, breaker: "closed", closedAfterMs: 400 });
    expect(breaker).toEqual(["open", "closed"]);
  });

  it("fails reads of all keys as well", async () => {
    storeSwitch.failFor(1_000);
    const settled = expect(cache.keys()).rejects.toThrow(ConnectionError);
    await vi.advanceTimersByTimeAsync(100);
    await settled;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await cache.keys()).toEqual(["key"]);
  });

  it("begins counting anew with each failure", async () => {
    storeSwitch.failFor(150);
    await failed();
    await vi.advanceTimersByTimeAsync(100);
    expect(await cache.get("key")).toBe(1);
    storeSwitch.failFor(1_000);
    expect(storeSwitch.outage()).toMatchObject({ isFailing: true, failed: 0, refused: 0 });
    await failed();
    await failed();
    expect(storeSwitch.outage().breaker).toBe("closed");
  });
});

it("ends what a near cache hears of a server, too, and gives it back", async () => {
  await using server = await startValkey();
  const storeSwitch = new StoreSwitch();
  await using cache = createCache({
    location: server.url,
    connectionFactory: storeSwitch.wrap(glide()),
    nearCache: nearCache(),
    logger: false,
  });
  const isListening = async () => (await cache.health()).nearCache?.listening === true;
  await cache.set("key", 1);
  await until(async () => (await cache.get("key")) === 1 && (await isListening()), {
    what: "the near cache to listen",
  });
  storeSwitch.failFor(1_000);
  await until(async () => !(await isListening()), { what: "the near cache to hear nothing" });
  await until(async () => (await cache.get("key")) === 1 && (await isListening()), {
    what: "the near cache to listen again",
    timeoutMs: 15_000,
  });
}, 30_000);
