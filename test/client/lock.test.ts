import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { LockOptions } from "../../src/cache/method-options.js";
import { type Cache, ConnectionError, createCache, type Lock, memory } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { watched } from "../support/watched.js";

const HOUR_MS = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function hold(options: LockOptions) {
  const { factory, ...store } = watched(memory());
  const onError = vi.fn<(error: unknown) => void>();
  const cache = createCache({ location: "memory:", connectionFactory: factory, onError });
  onTestFinished(() => cache.close());
  const lock = await take(cache, options);
  const onLost = vi.fn();
  lock.signal.addEventListener("abort", onLost);
  return { ...store, cache, lock, onLost, onError };
}

async function take(cache: Cache, options: LockOptions = {}): Promise<Lock> {
  const lock = await cache.lock("job", options);
  if (!lock) throw new Error("the lock is held");
  return lock;
}

const lost = () => new ConnectionError("lost");

describe("a renewed lock", () => {
  it("is renewed three times in each lifetime, and no more once it is released", async () => {
    const { cache, lock, roundTrips, onLost } = await hold({ ttl: "30s", renew: true });
    await vi.advanceTimersByTimeAsync(301_000);
    expect(roundTrips).toHaveLength(1 + 30);
    expect(await cache.lock("job")).toBeUndefined();
    expect(await lock.release()).toBe(true);
    const sent = roundTrips.length;
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(roundTrips).toHaveLength(sent);
    expect(onLost).not.toHaveBeenCalled();
    expect(lock.signal.aborted).toBe(false);
  });

  it("outlives renewals that fail, which are reported and tried again sooner", async () => {
    const { lock, fail, recover, onError, cache } = await hold({ ttl: "30s", renew: true });
    fail(lost());
    await vi.advanceTimersByTimeAsync(27_000);
    expect(onError.mock.calls.length).toBeGreaterThanOrEqual(4);
    expect(onError).toHaveBeenCalledWith(expect.any(ConnectionError), { method: "lock", key: ":lock:job" });
    recover();
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(lock.signal.aborted).toBe(false);
    expect(await cache.lock("job")).toBeUndefined();
  });

  it("is lost before the server gives it away, when no renewal succeeds", async () => {
    const { lock, fail, recover, onLost, roundTrips, cache } = await hold({ ttl: "30s", renew: true });
    await vi.advanceTimersByTimeAsync(15_000);
    fail(lost());
    // The last renewal was sent after 10 s.
    await vi.advanceTimersByTimeAsync(24_600);
    expect(onLost).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(390);
    expect(onLost).toHaveBeenCalledOnce();
    recover();
    const sent = roundTrips.length;
    expect(await lock.extend("1m")).toBe(false);
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(roundTrips, "it is no longer renewed").toHaveLength(sent);
    await take(cache);
  });

  it("is lost when a renewal hangs until the lifetime is over", async () => {
    const { delay, onLost } = await hold({ ttl: "30s", renew: true });
    delay(new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(30_000);
    expect(onLost).toHaveBeenCalledOnce();
  });

  it("is not renewed any more once its cache is closed, and is lost at the end of its lifetime", async () => {
    const { cache, lock, onLost, onError } = await hold({ ttl: "30s", renew: true });
    await cache.close();
    await vi.advanceTimersByTimeAsync(29_000);
    expect(onLost).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(onLost).toHaveBeenCalledOnce();
    expect(lock.signal.aborted).toBe(true);
    expect(onError).not.toHaveBeenCalled();
  });
});

describe("the lifetime of a lock", () => {
  it("is over for a process whose timers have not run, whichever clock went on", async () => {
    for (const clock of ["wall", "monotonic"] as const) {
      const { lock, onLost } = await hold({ ttl: "30s" });
      const now = performance.now();
      if (clock === "wall") vi.setSystemTime(Date.now() + 30_000);
      else vi.spyOn(performance, "now").mockReturnValue(now + 30_000);
      expect(onLost, clock).not.toHaveBeenCalled();
      expect(lock.signal.aborted, clock).toBe(true);
      expect(onLost, clock).toHaveBeenCalledOnce();
      vi.restoreAllMocks();
    }
  });

  it("is no longer when the clock is set back", async () => {
    const { onLost } = await hold({ ttl: "30s" });
    vi.setSystemTime(Date.now() - HOUR_MS);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(onLost).toHaveBeenCalledOnce();
  });

  it("may be longer than a timer's", async () => {
    const { lock, onLost } = await hold({ ttl: "60d" });
    await vi.advanceTimersByTimeAsync(50 * 24 * HOUR_MS);
    expect(lock.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(10 * 24 * HOUR_MS);
    expect(onLost).toHaveBeenCalledOnce();
  });

  it("is that of an extension, also of one that makes it shorter", async () => {
    const { lock, onLost } = await hold({ ttl: "30s" });
    expect(await lock.extend("1h")).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(onLost).not.toHaveBeenCalled();
    expect(await lock.extend("1s")).toBe(true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(onLost).toHaveBeenCalledOnce();
  });

  it("is the shorter one where the reply to an extension was lost", async () => {
    const { lock, fail, onLost } = await hold({ ttl: "30s" });
    fail(lost());
    await expect(lock.extend("1h")).rejects.toThrow(ConnectionError);
    await expect(lock.extend("5s")).rejects.toThrow(ConnectionError);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(onLost).toHaveBeenCalledOnce();
  });

  it("goes on where a release got no reply, without renewals, also when one was under way", async () => {
    const { lock, delay, fail, recover, onLost, cache } = await hold({ ttl: "30s", renew: true });
    const gate = deferred();
    delay(gate.promise);
    await vi.advanceTimersByTimeAsync(10_000);
    const released = lock.release();
    fail(lost());
    gate.resolve();
    await expect(released).rejects.toThrow(ConnectionError);
    recover();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(onLost).toHaveBeenCalledOnce();
    await take(cache);
  });
});

describe("the end of a lock's block", () => {
  it("throws the error of the block, also where the lock can't be released; that error is reported", async () => {
    const { cache, fail, onError, lock: first } = await hold({});
    await first.release();
    const block = async () => {
      await using lock = await take(cache);
      fail(lost());
      throw new Error(`broken under ${lock.fencing}`);
    };
    await expect(block()).rejects.toThrow(/^broken under \d+$/);
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(ConnectionError), { method: "lock", key: ":lock:job" });
  });

  it("releases the lock and ends its renewal", async () => {
    const { cache, roundTrips, lock: first } = await hold({});
    await first.release();
    {
      await using lock = await take(cache, { renew: true });
      expect(lock.signal.aborted).toBe(false);
    }
    const sent = roundTrips.length;
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(roundTrips).toHaveLength(sent);
    await take(cache);
  });
});
