import { describe, expect, it } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { LockOptions } from "../../../src/cache/method-options.js";
import type { Lock } from "../../../src/client/lock.js";
import { until } from "../../support/wait.js";
import type { Open } from "../cache.js";
import { ownPrefix, raw, stored } from "./stored.js";

/** A lock of some milliseconds ends too soon where a busy machine stops the process. It does so each time where it is wrong. */
const SHORT = { retry: 3 };

async function taken(cache: Cache, options: LockOptions = {}, name = "job"): Promise<Lock> {
  const lock = await cache.lock(name, options);
  if (!lock) throw new Error(`the lock ${name} is held`);
  return lock;
}

export function locks(open: Open): void {
  describe("a lock", () => {
    it("has one holder at a time, in the whole fleet", async () => {
      const keyPrefix = ownPrefix();
      const [one, other] = [open({ keyPrefix }), open({ keyPrefix })];
      const held = await one.lock("job");
      expect(held).toBeDefined();
      expect(await other.lock("job")).toBeUndefined();
      expect(await one.lock("job")).toBeUndefined();
      expect(await held?.release()).toBe(true);
      expect(await other.lock("job")).toBeDefined();
    });

    it("lets one of many through", async () => {
      const cache = open();
      const taken = await Promise.all(Array.from({ length: 20 }, () => cache.lock("job")));
      expect(taken.filter((lock) => lock !== undefined)).toHaveLength(1);
    });

    it("is waited for as long as is asked, and not much longer", async () => {
      const cache = open();
      await cache.lock("job");
      const startMs = performance.now();
      expect(await cache.lock("job", { waitTimeout: "100ms", retryEvery: "10ms" })).toBeUndefined();
      const waitedMs = performance.now() - startMs;
      expect(waitedMs).toBeGreaterThanOrEqual(95);
      expect(waitedMs).toBeLessThan(5_000);
    });

    it("is not waited for unless asked", async () => {
      const cache = open();
      await cache.lock("job");
      const startMs = performance.now();
      expect(await cache.lock("job", { retryEvery: "10s" })).toBeUndefined();
      expect(performance.now() - startMs).toBeLessThan(5_000);
    });

    it("goes to a waiting caller once it is released", async () => {
      const cache = open();
      const held = await cache.lock("job");
      const waiting = cache.lock("job", { waitTimeout: "10s", retryEvery: "5ms" });
      await held?.release();
      expect(await waiting).toBeDefined();
    });

    it("of a dead holder is free again after its ttl", SHORT, async () => {
      const cache = open();
      const dead = await cache.lock("job", { ttl: "50ms" });
      expect(await cache.lock("job")).toBeUndefined();
      const next = await cache.lock("job", { waitTimeout: "5s", retryEvery: "5ms" });
      expect(next).toBeDefined();
      expect(await dead?.release()).toBe(false);
      expect(await dead?.extend("1m")).toBe(false);
      expect(await cache.lock("job")).toBeUndefined();
      expect(await next?.release()).toBe(true);
    });

    it("is released once", async () => {
      const lock = await open().lock("job");
      expect(await lock?.release()).toBe(true);
      expect(await lock?.release()).toBe(false);
    });

    it("is held 30 seconds by default, or the ttl given", async () => {
      const cache = open({ keyPrefix: ownPrefix(), ttl: "1h" });
      await cache.lock("job");
      await cache.lock("other", { ttl: "90s" });
      expect(await leftMs(cache, "job")).toBeGreaterThan(29_000);
      expect(await leftMs(cache, "job")).toBeLessThanOrEqual(30_000);
      expect(await leftMs(cache, "other")).toBeGreaterThan(89_000);
    });

    it("can be held longer than it was taken for", async () => {
      const cache = open();
      const lock = await cache.lock("job", { ttl: "2s" });
      expect(await lock?.extend("1m")).toBe(true);
      expect(await leftMs(cache, "job")).toBeGreaterThan(50_000);
      expect(await lock?.release()).toBe(true);
    });

    it("is renewed for as long as it is held, if that is asked for", SHORT, async () => {
      const cache = open();
      const lock = await taken(cache, { ttl: "150ms", renew: true });
      const startMs = performance.now();
      await until(() => performance.now() - startMs > 500, { what: "more than three lifetimes" });
      expect(lock.signal.aborted).toBe(false);
      expect(await cache.lock("job")).toBeUndefined();
      expect(await lock.release()).toBe(true);
      expect(lock.signal.aborted).toBe(false);
      expect(await cache.lock("job")).toBeDefined();
    });

    it("keeps what extend() has added when it is renewed", SHORT, async () => {
      const cache = open();
      const lock = await taken(cache, { ttl: "100ms", renew: true });
      expect(await lock.extend("1m")).toBe(true);
      const startMs = performance.now();
      await until(() => performance.now() - startMs > 200, { what: "some renewals" });
      expect(await leftMs(cache, "job")).toBeGreaterThan(50_000);
      expect(await lock.release()).toBe(true);
    });

    it("fires its signal when its lifetime is over, before another holder can take it", async () => {
      const cache = open();
      const lock = await taken(cache, { ttl: "100ms" });
      expect(lock.signal.aborted).toBe(false);
      await until(() => cache.lock("job"), { what: "the next holder", everyMs: 1 });
      expect(lock.signal.aborted).toBe(true);
      expect(lock.signal.reason).toMatchObject({ name: "AbortError", message: expect.stringContaining(":lock:job") });
      expect(await lock.extend("1m")).toBe(false);
    });

    it("fires its signal when it was taken away by force", async () => {
      const cache = open();
      const [renewed, extended] = [await taken(cache, { ttl: "1s", renew: true }), await taken(cache, {}, "other")];
      await raw(cache, "DEL", lockKey(cache, "job"));
      await raw(cache, "DEL", lockKey(cache, "other"));
      expect(await cache.lock("job")).toBeDefined();
      await until(() => renewed.signal.aborted, { what: "a renewal" });
      expect(await extended.extend("1m")).toBe(false);
      expect(extended.signal.aborted).toBe(true);
      expect(await cache.lock("job")).toBeUndefined();
    });

    it("has a number that grows from holder to holder, and is near the server's microseconds", async () => {
      const cache = open();
      let last = (Date.now() - 3_600_000) * 1_000;
      for (let i = 0; i < 20; i++) {
        await using lock = await taken(cache);
        expect(lock.fencing).toBeGreaterThan(last);
        last = lock.fencing;
      }
      expect(last).toBeLessThan((Date.now() + 3_600_000) * 1_000);
      expect(Number.isSafeInteger(last)).toBe(true);
    });

    it("has a larger number than a holder that has died had", async () => {
      const cache = open();
      const dead = await taken(cache, { ttl: "20ms" });
      const next = await taken(cache, { waitTimeout: "5s", retryEvery: "5ms" });
      expect(next.fencing).toBeGreaterThan(dead.fencing);
    });

    it.each(["released", "expired"])(
      "that was %s has the last number + 1 while the server's clock is behind it",
      SHORT,
      async (how) => {
        const cache = open();
        const lock = await taken(cache, { ttl: "100ms" });
        const ahead = lock.fencing + 3_600_000_000;
        const [, token] = String(await stored(cache, lockKey(cache, "job"))).split(" ");
        await raw(cache, "SET", lockKey(cache, "job"), `${ahead} ${token}`, "KEEPTTL");
        if (how === "released") expect(await lock.release()).toBe(true);
        for (const more of [1, 2]) {
          await using next = await taken(cache, { waitTimeout: "5s", retryEvery: "5ms" });
          expect(next.fencing).toBe(ahead + more);
        }
      },
    );

    it("has a larger number after its key was lost", async () => {
      const cache = open();
      const numbers: number[] = [];
      for (let i = 0; i < 3; i++) {
        numbers.push((await taken(cache)).fencing);
        await raw(cache, "DEL", lockKey(cache, "job"));
      }
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    });

    it("leaves a key for ten minutes at the most", async () => {
      const cache = open();
      await (await taken(cache, { ttl: "1h" })).release();
      expect(await leftMs(cache, "job")).toBeLessThanOrEqual(0);
      expect(Number(await raw(cache, "PTTL", lockKey(cache, "job")))).toBeGreaterThan(500_000);
    });

    it("of another program under the same key is respected", async () => {
      const cache = open();
      await raw(cache, "SET", lockKey(cache, "job"), "token", "PX", "60000");
      expect(await cache.lock("job")).toBeUndefined();
    });

    it("is renewed for as long as the view of the cache that took it is open", SHORT, async () => {
      const cache = open();
      const view = cache.for();
      const lock = await taken(view, { ttl: "100ms", renew: true });
      const startMs = performance.now();
      await until(() => performance.now() - startMs > 200, { what: "two lifetimes" });
      expect(lock.signal.aborted).toBe(false);
      await view.close();
      await until(() => lock.signal.aborted, { what: "the end of the lifetime" });
      await taken(cache, { waitTimeout: "5s", retryEvery: "5ms" });
    });

    it.each(["99ms", 0.099, "1ms"] as const)("can't be renewed with a ttl of %j", async (ttl) => {
      await expect(open().lock("job", { ttl, renew: true })).rejects.toThrow(/^ttl: .*"100ms"/);
    });

    it.each([0, -1, Number.NaN, "soon", null])("can't be taken or extended for %j", async (ttl) => {
      const cache = open();
      await expect(cache.lock("job", { ttl: ttl as number })).rejects.toThrow(TypeError);
      const lock = await cache.lock("job");
      await expect(lock?.extend(ttl as number)).rejects.toThrow(TypeError);
      expect(await lock?.release()).toBe(true);
    });

    it.each([-1, Number.NaN, "soon", null])("can't be waited for %j long or often", async (wait) => {
      const cache = open();
      await expect(cache.lock("job", { waitTimeout: wait as number })).rejects.toThrow(TypeError);
      await expect(cache.lock("job", { retryEvery: wait as number })).rejects.toThrow(TypeError);
    });

    it("needs a name", async () => {
      await expect(open().lock("")).rejects.toThrow(TypeError);
    });

    it("is released at the end of its block, also when the block throws", async () => {
      const cache = open();
      await expect(
        (async () => {
          await using lock = await cache.lock("job");
          expect(lock).toBeDefined();
          expect(await cache.lock("job")).toBeUndefined();
          throw new Error("broken");
        })(),
      ).rejects.toThrow("broken");
      expect(await cache.lock("job")).toBeDefined();
    });

    it("and an entry of one name leave each other alone", async () => {
      const cache = open();
      await cache.set("job", "entry");
      const lock = await taken(cache);
      expect(await cache.get("job")).toBe("entry");
      expect(await cache.delete("job")).toBe(true);
      expect(await cache.lock("job")).toBeUndefined();
      await cache.set("job", "entry");
      expect(await lock.release()).toBe(true);
      expect(await cache.get("job")).toBe("entry");
    });

    it("is not listed among the keys", async () => {
      const cache = open();
      await cache.lock("job");
      expect(await cache.keys()).toEqual([]);
      expect(await cache.deletePattern("*")).toBe(0);
      expect(await cache.lock("job")).toBeUndefined();
    });

    it("of one name is another one under another prefix", async () => {
      const cache = open();
      await cache.lock("job");
      expect(await cache.lock("job", { prefix: ownPrefix() })).toBeDefined();
    });

    it("has its own key also where the key function is the user's own", async () => {
      const cache = open({ keyPrefix: ownPrefix(), keyFunction: (key, prefix, v) => `${v}/${prefix}/${key}` });
      await cache.set("job", "entry");
      const lock = await cache.lock("job");
      expect(lock).toBeDefined();
      expect(await cache.get("job")).toBe("entry");
      expect(await lock?.release()).toBe(true);
    });

    it("is refused where the key function would give it an entry's key", async () => {
      const cache = open({ keyPrefix: ownPrefix(), keyFunction: (key, prefix) => `${prefix}/${key}` });
      await cache.set("job", "entry");
      await expect(cache.lock("job")).rejects.toThrow(/keyFunction/);
      expect(await cache.get("job")).toBe("entry");
    });

    it("keeps a critical section to one at a time", async () => {
      const cache = open();
      let [inside, most] = [0, 0];
      const work = async () => {
        await using lock = await cache.lock("job", { waitTimeout: "10s", retryEvery: "2ms" });
        expect(lock).toBeDefined();
        most = Math.max(most, ++inside);
        await until(() => true, { what: "a turn", everyMs: 1 });
        inside--;
      };
      await Promise.all(Array.from({ length: 8 }, work));
      expect(most).toBe(1);
    });
  });
}

/** How long the lock is held; its key outlives it by ten minutes. */
async function leftMs(cache: Cache, name: string): Promise<number> {
  return Number(await raw(cache, "PTTL", lockKey(cache, name))) - 600_000;
}

function lockKey(cache: Cache, name: string): string {
  return String(cache.makeKey(name)).replace(/:1:([^:]*)$/, ":lock:$1");
}
