import { randomUUID } from "node:crypto";
import { expect, inject, it } from "vitest";
import { placeholder } from "../../src/codec/envelope.js";
import type { NearReads } from "../../src/core/near.js";
import { type Cache, createCache, type NearCacheOptions, nearCache } from "../../src/index.js";
import { newToken } from "../../src/lease/lease.js";
import { claimCommand } from "../../src/lease/read-or-claim.js";
import { until } from "../support/wait.js";

const READ = { readOnly: true };

/** Two caches of one prefix: one with a near cache that hears of changes, where it can, and one of another process. */
async function caches(options: NearCacheOptions = {}) {
  const keyPrefix = randomUUID();
  const location = inject("valkeyUrl");
  const cache = createCache({ location, keyPrefix, nearCache: nearCache(options) });
  const other = createCache({ location, keyPrefix });
  await cache.get("connect");
  if (options.invalidation !== "ttl") {
    await until(async () => (await cache.health()).nearCache?.listening, { what: "the near cache to listen" });
  }
  const key = String(cache.makeKey("a"));
  const close = () => Promise.all([cache.close(), other.close()]);
  return { cache, other, near: nearOf(cache), key, [Symbol.asyncDispose]: async () => void (await close()) };
}

function nearOf(cache: Cache): NearReads {
  const { near } = cache.shared;
  if (!near) throw new Error("there is no near cache");
  return near;
}

it("watches a key, also one that is not read, until anybody changes it", async () => {
  await using both = await caches();
  const { near, key } = both;
  const isUnchanged = near.watch(key);
  expect(isUnchanged?.()).toBe(true);
  await both.other.set("a", 1);
  await until(() => isUnchanged?.() === false, { what: "the watch to see another one's write" });
  const again = near.watch(key);
  const own = both.cache.set("a", 2);
  expect(again?.()).toBe(false);
  expect(near.watch(key)).toBeUndefined();
  await own;
});

it("watches for no longer than maxStaleness where nobody tells of changes", async () => {
  await using both = await caches({ invalidation: "ttl", maxStaleness: "100ms" });
  const isUnchanged = both.near.watch(both.key);
  expect(isUnchanged?.()).toBe(true);
  await until(() => isUnchanged?.() === false, { what: "the watch to end" });
  // Watches of one key have times of their own.
  expect(both.near.watch(both.key)?.()).toBe(true);
});

it("watches no key whose changes nobody would tell of", async () => {
  await using both = await caches();
  expect(both.near.watch("elsewhere")).toBeUndefined();
  expect(both.near.onChange("elsewhere", () => {})).toBeUndefined();
});

it("keeps a lease on a missing entry only where its end is reported", async () => {
  for (const invalidation of ["tracking", "channel", "ttl"] as const) {
    await using both = await caches({ invalidation });
    const { cache, other, near, key } = both;
    await other.connection.send([["SET", key, placeholder(newToken(), Date.now() + 10_000), "PX", "10000"]]);
    const recalled = async () => {
      await cache.shared.send([["GET", key]], READ);
      return near.recall(key) !== undefined;
    };
    // The report of the write may come after the reply.
    if (invalidation === "tracking") await until(recalled, { what: "the lease to be kept" });
    else expect(await recalled(), invalidation).toBe(false);
  }
});

it("wakes who waits for a key when it changes, and not when a claim on it fails", async () => {
  await using both = await caches();
  const { cache, other, near, key } = both;
  let isStored = false;
  near.onChange(key, () => (isStored = true));
  await other.set("a", 1);
  await until(() => isStored, { what: "the report of the first write" });
  let woken = 0;
  near.onChange(key, () => woken++);
  await cache.connection.send([claimCommand(key, newToken(), 1_000, Date.now())]);
  await other.set("b", 1);
  await cache.get("b");
  expect(woken).toBe(0);
  await other.set("a", 2);
  await until(() => woken === 1, { what: "the waiter to be woken" });
});
