import { describe, expect, it } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import { defaultClient } from "../../../src/client/default-client.js";
import { type Fleets, slowLoader } from "./fleet.js";

/** What one process does while another loads, and what is left then. */
const CHANGES: readonly [string, (cache: Cache) => Promise<unknown>, unknown][] = [
  ["delete", (cache) => cache.delete("a"), undefined],
  ["deleteMany", (cache) => cache.deleteMany(["b", "a"]), undefined],
  ["deletePattern", (cache) => cache.deletePattern("*"), undefined],
  ["clear", (cache) => cache.clear(), undefined],
  ["set", (cache) => cache.set("a", "newer"), "newer"],
  ["set with nx", (cache) => cache.set("a", "newer", { nx: true }), "newer"],
  ["set with a ttl of 0", (cache) => cache.set("a", "newer", { ttl: 0 }), undefined],
  ["setMany", (cache) => cache.setMany({ a: "newer" }), "newer"],
  ["mset", (cache) => cache.mset({ a: "newer" }), "newer"],
  ["incr", (cache) => cache.incr("a", 5, { create: true }), 5],
  [
    "incrVersion to it",
    (cache) => cache.set("a", "moved", { version: 0 }).then(() => cache.incrVersion("a", 1, { version: 0 })),
    "moved",
  ],
  ["a delete and a set", (cache) => cache.delete("a").then(() => cache.set("a", "newer")), "newer"],
  ["a delete and a load", (cache) => cache.delete("a").then(() => cache.getOrSet("a", () => "newer")), "newer"],
];

/** Likewise while a value is being replaced, which is there still. */
const CHANGES_OF_A_VALUE: readonly [string, (cache: Cache) => Promise<unknown>, unknown][] = [
  ["delete", (cache) => cache.delete("a"), undefined],
  ["set with xx", (cache) => cache.set("a", "newer", { xx: true }), "newer"],
  ["incr", (cache) => cache.incr("a", 5), 6],
  ["incrVersion away", (cache) => cache.incrVersion("a"), undefined],
  ["an expiry in the past", (cache) => cache.expireAt("a", 1), undefined],
  ["touch with 0", (cache) => cache.touch("a", 0), undefined],
];

export function invalidation({ fleet }: Fleets): void {
  describe("what is loaded is not stored", () => {
    it.each(CHANGES)("after %s elsewhere", async (_name, change, left) => {
      const process = fleet();
      const [here, there] = [process(), process()];
      const loader = slowLoader<string>();
      const given = here.getOrSet("a", loader);
      await expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1);
      await change(there);
      loader.resolve("loaded before");
      expect(await given).toBe("loaded before");
      expect(await there.get("a")).toBe(left);
      expect(await here.get("a")).toBe(left);
    });

    it.each(CHANGES)("after %s by the default client", async (_name, change, left) => {
      const process = fleet();
      const [here, there] = [process(), process({ client: defaultClient() })];
      const loader = slowLoader<string>();
      const given = here.getOrSet("a", loader);
      await expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1);
      await change(there);
      loader.resolve("loaded before");
      expect(await given).toBe("loaded before");
      expect(await here.get("a")).toBe(left);
    });

    it.each(CHANGES_OF_A_VALUE)("after %s, when it was to replace a value", async (_name, change, left) => {
      // So that every hit refreshes.
      const process = fleet({ beta: 1e9 });
      const [here, there] = [process(), process()];
      await here.getOrSet("a", async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return 1;
      });
      const loader = slowLoader<number>();
      expect(await here.getOrSet("a", loader)).toBe(1);
      await expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1);
      await change(there);
      loader.resolve(100);
      await here.close();
      expect(await there.get("a")).toBe(left);
    });

    it("over what is there by then, when it could not be read before", async () => {
      const process = fleet();
      const [here, there] = [process(), process()];
      await here.connection.send([["SET", String(here.makeKey("a")), "no JSON"]]);
      const loader = slowLoader<string>();
      const given = here.getOrSet("a", loader);
      await expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1);
      await there.set("a", "newer");
      loader.resolve("loaded before");
      expect(await given).toBe("loaded before");
      expect(await there.get("a")).toBe("newer");
    });
  });

  describe("what is loaded is stored", () => {
    it("after a touch, which left the lease alone", async () => {
      const process = fleet({ beta: 1e9 });
      const [here, there] = [process(), process()];
      await here.getOrSet("a", async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return 1;
      });
      const loader = slowLoader<number>();
      await here.getOrSet("a", loader);
      await expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1);
      expect(await there.touch("a", 100)).toBe(true);
      loader.resolve(2);
      await here.close();
      expect(await there.get("a")).toBe(2);
    });

    it("where something unreadable was, by one caller of all", async () => {
      const process = fleet();
      const caches = Array.from({ length: 4 }, () => process());
      const [first] = caches;
      if (!first) throw new Error("none opened");
      await first.connection.send([["SET", String(first.makeKey("a")), "no JSON"]]);
      const loader = slowLoader<string>();
      const tries = caches.map((cache) => cache.getOrSet("a", loader));
      await expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1);
      loader.resolve("mended");
      expect(await Promise.all(tries)).toEqual(Array(4).fill("mended"));
      expect(loader.signals).toHaveLength(1);
    });
  });
}
