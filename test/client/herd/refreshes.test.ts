import { describe, expect, it } from "vitest";
import { createCache, herd } from "../../../src/index.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";

const expired = { ttl: "1ms" } as const;

describe("a refresh that is waited for (background: false)", () => {
  it("is waited for by its caller alone: all others get the stale value at once", async () => {
    await using cache = createCache({ location: "memory:", client: herd({ background: false, beta: 0 }) });
    await cache.set("a", "old", expired);
    await until(async () => (await cache.get("a")) === undefined, { what: "its expiry" });
    const loaded = deferred<string>();
    const values = Array.from({ length: 5 }, () => cache.getOrSet("a", () => loaded.promise));
    // The first caller leads, and waits for its own load.
    expect(await Promise.all(values.slice(1))).toEqual(["old", "old", "old", "old"]);
    expect(await cache.getOrSet("a", () => "other")).toBe("old");
    loaded.resolve("new");
    expect(await values[0]).toBe("new");
    expect(await cache.get("a")).toBe("new");
  });
});

describe("a refresh that hangs", () => {
  it.each(["getOrSet", "getOrSetMany"] as const)(
    "keeps no later entry of the same key from being refreshed: %s",
    async (method) => {
      await using cache = createCache({ location: "memory:", client: herd({ beta: 0, hardTimeout: null }) });
      let loads = 0;
      const hang = deferred<never>();
      const ask = (value: () => unknown) =>
        method === "getOrSet"
          ? cache.getOrSet("a", value, { ttl: "1h" })
          : cache.getOrSetMany(["a"], async () => ({ a: await value() }), { ttl: "1h" });
      const expire = async () => {
        await cache.set("a", "old", expired);
        await until(async () => (await cache.get("a")) === undefined, { what: "its expiry" });
      };
      await expire();
      await ask(() => {
        loads++;
        return hang.promise;
      });
      await until(() => loads === 1, { what: "the refresh that hangs" });
      await cache.delete("a");
      await expire();
      await ask(() => {
        loads++;
        return "new";
      });
      await until(async () => (await cache.get("a")) === "new", { what: "the refresh of the new entry" });
      expect(loads).toBe(2);
      hang.reject(new Error("ended"));
    },
  );
});

describe("a load whose cache was closed", () => {
  it("renews its lease no more, and reports no error of a renewal", async () => {
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    const cache = createCache({ location: "memory:", client: herd({ lease: "60ms" }), onError });
    const loaded = deferred<string>();
    const caller = new AbortController();
    let isLoading = false;
    const loading = cache.getOrSet(
      "a",
      () => {
        isLoading = true;
        return loaded.promise;
      },
      { signal: caller.signal },
    );
    await until(() => isLoading, { what: "the load" });
    caller.abort();
    await expect(loading).rejects.toThrow("abort");
    await cache.close();
    const endMs = performance.now() + 200;
    await until(() => performance.now() > endMs, { what: "three terms of the lease" });
    expect(errors).toEqual([]);
    loaded.resolve("late");
  });
});
