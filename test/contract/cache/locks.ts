import { describe, expect, it } from "vitest";
import type { Lock } from "../../../src/client/lock.js";
import { until } from "../../support/wait.js";
import type { Open } from "../cache.js";
import { ownPrefix, raw } from "./stored.js";

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
      expect(waitedMs).toBeLessThan(1_000);
    });

    it("is not waited for unless asked", async () => {
      const cache = open();
      await cache.lock("job");
      const startMs = performance.now();
      expect(await cache.lock("job", { retryEvery: "10s" })).toBeUndefined();
      expect(performance.now() - startMs).toBeLessThan(1_000);
    });

    it("goes to who waits for it once it is released", async () => {
      const cache = open();
      const held = await cache.lock("job");
      const waiting = cache.lock("job", { waitTimeout: "10s", retryEvery: "5ms" });
      await held?.release();
      expect(await waiting).toBeDefined();
    });

    it("of a dead holder is free again after its ttl", async () => {
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
      const left = async (name: string) => Number(await raw(cache, "PTTL", lockKey(cache, name)));
      expect(await left("job")).toBeGreaterThan(29_000);
      expect(await left("job")).toBeLessThanOrEqual(30_000);
      expect(await left("other")).toBeGreaterThan(89_000);
    });

    it("can be held longer than it was taken for", async () => {
      const cache = open();
      const lock = await cache.lock("job", { ttl: "100ms" });
      expect(await lock?.extend("1m")).toBe(true);
      expect(Number(await raw(cache, "PTTL", lockKey(cache, "job")))).toBeGreaterThan(50_000);
      expect(await lock?.release()).toBe(true);
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
      const lock = (await cache.lock("job")) as Lock;
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

function lockKey(cache: ReturnType<Open>, name: string): string {
  return String(cache.makeKey(name)).replace(/:1:([^:]*)$/, ":lock:$1");
}
