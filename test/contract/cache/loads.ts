import { describe, expect, it, vi } from "vitest";
import { EncodeError } from "../../../src/core/errors.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";
import type { CacheTraits, Open } from "../cache.js";
import { THROWN } from "../thrown.js";
import { plant } from "./stored.js";

export function loads(open: Open, { sharesValues = false }: CacheTraits): void {
  describe("getOrSet", () => {
    it("loads on a miss and stores; on a hit it does not load", async () => {
      const cache = open();
      const loader = vi.fn(async () => ({ n: 1 }));
      expect(await cache.getOrSet("a", loader)).toEqual({ n: 1 });
      expect(await cache.getOrSet("a", loader)).toEqual({ n: 1 });
      expect(await cache.get("a")).toEqual({ n: 1 });
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("takes a loader that is not async", async () => {
      expect(await open().getOrSet("a", () => 5)).toBe(5);
    });

    it("stores for the ttl given, the cache's by default", async () => {
      const cache = open({ ttl: "1m" });
      await cache.getOrSet("a", () => 1);
      await cache.getOrSet("b", () => 1, { ttl: "1h" });
      await cache.getOrSet("c", () => 1, { ttl: null });
      expect(await cache.ttl("a")).toBeLessThanOrEqual(60);
      expect(await cache.ttl("a")).toBeGreaterThan(50);
      expect(await cache.ttl("b")).toBeGreaterThan(3_500);
      expect(await cache.ttl("c")).toBeNull();
    });

    it("takes a stored null for a hit, and stores a null that is loaded", async () => {
      const cache = open();
      const loader = vi.fn(() => null);
      expect(await cache.getOrSet("a", loader)).toBeNull();
      expect(await cache.getOrSet("a", loader)).toBeNull();
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("answers undefined, and stores nothing, when the loader gives that", async () => {
      const cache = open();
      expect(await cache.getOrSet("a", () => undefined)).toBeUndefined();
      expect(await cache.has("a")).toBe(false);
    });

    it("throws what the loader throws, stores nothing, and loads again next time", async () => {
      const cache = open();
      const broken = new Error("broken");
      await expect(cache.getOrSet("a", () => Promise.reject(broken))).rejects.toBe(broken);
      await expect(
        cache.getOrSet("a", () => {
          throw broken;
        }),
      ).rejects.toBe(broken);
      expect(await cache.has("a")).toBe(false);
      expect(await cache.getOrSet("a", () => 2)).toBe(2);
    });

    it("lets the loader choose the lifetime", async () => {
      const cache = open();
      await cache.getOrSet("a", (context) => {
        context.ttl("2h");
        return 1;
      });
      await cache.getOrSet("b", (context) => {
        context.ttl(null);
        return 1;
      });
      expect(await cache.ttl("a")).toBeGreaterThan(7_000);
      expect(await cache.ttl("b")).toBeNull();
    });

    it.each([0, -1])("answers and stores nothing for a ttl of %j", async (ttl) => {
      const cache = open();
      expect(await cache.getOrSet("a", () => 1, { ttl })).toBe(1);
      expect(
        await cache.getOrSet("b", (context) => {
          context.ttl(ttl);
          return 2;
        }),
      ).toBe(2);
      expect([await cache.has("a"), await cache.has("b")]).toEqual([false, false]);
    });

    it("lets the loader say that its value is not to be stored", async () => {
      const cache = open();
      expect(
        await cache.getOrSet("a", (context) => {
          context.doNotStore();
          return 1;
        }),
      ).toBe(1);
      expect(await cache.has("a")).toBe(false);
    });

    it("gives a loader on a plain miss no stale value, and a signal that has not fired", async () => {
      let seen: unknown;
      await open().getOrSet("a", ({ stale, signal }) => {
        seen = { stale, aborted: signal.aborted };
        return 1;
      });
      expect(seen).toEqual({ stale: undefined, aborted: false });
    });

    it.skipIf(sharesValues)(
      "loads once for all callers that ask meanwhile, and gives each a value of their own",
      async () => {
        const cache = open();
        const loader = vi.fn(async () => ({ list: [1] }));
        const got = await Promise.all(Array.from({ length: 10 }, () => cache.getOrSet("a", loader)));
        expect(loader).toHaveBeenCalledTimes(1);
        got[0]?.list.push(2);
        got[1]?.list.push(3);
        expect(got[2]).toEqual({ list: [1] });
        expect(await cache.get("a")).toEqual({ list: [1] });
      },
    );

    it("rejects for all waiting callers when the loader fails", async () => {
      const cache = open();
      const loader = vi.fn(() => Promise.reject(new Error("broken")));
      const got = await Promise.allSettled(Array.from({ length: 5 }, () => cache.getOrSet("a", loader)));
      expect(got.map(({ status }) => status)).toEqual(Array(5).fill("rejected"));
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it.each(THROWN)(
      "rejects with what the loader throws, such as %s, and loads again for the next caller",
      async (_, thrown) => {
        const onError = vi.fn();
        const cache = open({ onError });
        for (const load of [raise(thrown), () => Promise.reject(thrown)]) {
          expect((await failure(cache.getOrSet("a", load))) === thrown).toBe(true);
          expect((await failure(cache.getOrSetMany(["b"], load))) === thrown).toBe(true);
        }
        expect(onError).not.toHaveBeenCalled();
        expect(await cache.getOrSet("a", () => 1)).toBe(1);
        expect(await cache.getOrSetMany(["b"], () => ({ b: 2 }))).toEqual(new Map([["b", 2]]));
      },
    );

    it.each(THROWN)("reports what the loader throws when no caller is left, such as %s", async (_, thrown) => {
      const onError = vi.fn();
      const cache = open({ onError });
      const [started, load] = [deferred(), deferred<number>()];
      const leaving = new AbortController();
      const given = cache.getOrSet(
        "a",
        () => {
          started.resolve();
          return load.promise;
        },
        { signal: leaving.signal },
      );
      await started.promise;
      leaving.abort(new Error("left"));
      await expect(given).rejects.toThrow("left");
      load.reject(thrown);
      await until(() => onError.mock.calls.length > 0, { what: "the failure to be reported" });
      expect(onError).toHaveBeenCalledTimes(1);
      const [error, context] = onError.mock.calls[0] ?? [];
      expect(error === thrown).toBe(true);
      expect(context).toEqual({ method: "getOrSet", key: String(cache.makeKey("a")) });
      expect(await cache.getOrSet("a", () => 1)).toBe(1);
    });

    it("answers with what was loaded although the cache was closed meanwhile, and reports that it is not stored", async () => {
      const onError = vi.fn();
      const cache = open({ onError });
      const [started, load] = [deferred(), deferred<number>()];
      const given = cache.getOrSet("a", () => {
        started.resolve();
        return load.promise;
      });
      await started.promise;
      await cache.close();
      load.resolve(1);
      expect(await given).toBe(1);
      expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ name: "ConnectionError" }), {
        method: "getOrSet",
        key: String(cache.makeKey("a")),
      });
    });

    it("does not report a loader that stops because no caller is left", async () => {
      const onError = vi.fn();
      const cache = open({ onError });
      const [started, stopped] = [deferred(), deferred()];
      const leaving = new AbortController();
      const given = cache.getOrSet(
        "a",
        ({ signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => {
              reject(signal.reason);
              stopped.resolve();
            });
            started.resolve();
          }),
        { signal: leaving.signal },
      );
      await started.promise;
      leaving.abort(new Error("left"));
      await expect(given).rejects.toThrow("left");
      await stopped.promise;
      expect(await cache.getOrSet("a", () => 1)).toBe(1);
      expect(onError).not.toHaveBeenCalled();
    });

    it("replaces what can't be decoded, and calls onError", async () => {
      const onError = vi.fn();
      const cache = open({ onError });
      await plant(cache, "a", "not JSON");
      expect(await cache.getOrSet("a", () => 1)).toBe(1);
      expect(await cache.get("a")).toBe(1);
      expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ name: "DecodeError" }), {
        method: "getOrSet",
        key: String(cache.makeKey("a")),
      });
    });

    it("says so when what is loaded can't be stored", async () => {
      const cache = open();
      await expect(cache.getOrSet("a", () => () => 1)).rejects.toThrow(EncodeError);
      expect(await cache.has("a")).toBe(false);
    });

    it("ends one caller's wait when that caller's signal fires, and no other caller's", async () => {
      const cache = open();
      const { promise, resolve } = deferred<number>();
      const controller = new AbortController();
      const one = cache.getOrSet("a", () => promise, { signal: controller.signal });
      const other = cache.getOrSet("a", () => promise);
      controller.abort(new Error("left"));
      await expect(one).rejects.toThrow("left");
      resolve(1);
      expect(await other).toBe(1);
    });

    const invalidations: [string, (cache: ReturnType<Open>) => Promise<unknown>, unknown][] = [
      ["delete", (cache) => cache.delete("a"), undefined],
      ["deleteMany", (cache) => cache.deleteMany(["a"]), undefined],
      ["expireSoftMany", (cache) => cache.expireSoftMany(["a"]), undefined],
      ["deletePattern", (cache) => cache.deletePattern("a*"), undefined],
      ["clear", (cache) => cache.clear(), undefined],
      ["set with a ttl of 0", (cache) => cache.set("a", 0, { ttl: 0 }), undefined],
      ["set", (cache) => cache.set("a", "new"), "new"],
      ["setMany", (cache) => cache.setMany({ a: "new" }), "new"],
      ["mset", (cache) => cache.mset({ a: "new" }), "new"],
      ["incr", (cache) => cache.incr("a", 5, { create: true }), 5],
    ];
    it.each(invalidations)("does not store what was loaded before %s", async (_, invalidate, left) => {
      const cache = open();
      const loading = deferred();
      const { promise, resolve } = deferred<string>();
      const load = cache.getOrSet("a", () => {
        loading.resolve();
        return promise;
      });
      await loading.promise;
      await invalidate(cache);
      resolve("old");
      expect(await load).toBe("old");
      expect(await cache.get("a")).toBe(left);
    });
  });
}

function raise(thrown: unknown): () => never {
  return () => {
    throw thrown;
  };
}

/** What `work` rejects with, whatever that is. */
function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.unreachable("it resolved"),
    (error: unknown) => error,
  );
}
