import { describe, expect, it } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import { defaultClient } from "../../../src/client/default-client.js";
import { herd } from "../../../src/client/herd/client.js";
import { markOf, NO_TOKEN, placeholder, seal } from "../../../src/codec/envelope.js";
import { KeyNotFoundError } from "../../../src/core/errors.js";
import { plant, raw } from "../cache/stored.js";
import type { Fleets } from "./fleet.js";

const TOKEN = "AAAAAAAAAAAA";
const nowMs = Date.now();

/** What counts as absent. */
const ABSENT: readonly [string, string][] = [
  ["a placeholder", placeholder(TOKEN, nowMs + 60_000)],
  ["a placeholder whose holder is gone", placeholder(TOKEN, nowMs - 60_000)],
  ["a stale value", sealed(nowMs - 1_000, NO_TOKEN, 0)],
  ["a stale value that is being replaced", sealed(nowMs - 1_000, TOKEN, nowMs + 60_000)],
];

function sealed(freshUntilMs: number, token: string, leaseUntilMs: number): string {
  return String(seal({ freshUntilMs, deltaMs: 10, token, leaseUntilMs }, markOf("json"), "7"));
}

/** Each command, and what it answers where there is no entry. */
const ANSWERS: readonly [string, (cache: Cache) => Promise<unknown>, unknown][] = [
  ["get", (cache) => cache.get("a"), undefined],
  ["get with a default", (cache) => cache.get("a", { default: 1 }), 1],
  ["getMany", (cache) => cache.getMany(["a"]), new Map()],
  ["mget", (cache) => cache.mget(["a"]), new Map()],
  ["has", (cache) => cache.has("a"), false],
  ["ttl", (cache) => cache.ttl("a"), undefined],
  ["touch", (cache) => cache.touch("a", 10), false],
  ["touch with null", (cache) => cache.touch("a", null), false],
  ["expire", (cache) => cache.expire("a", 10), false],
  ["expire with a fraction", (cache) => cache.expire("a", 10.5), false],
  ["expireAt", (cache) => cache.expireAt("a", new Date(nowMs + 10_000)), false],
  ["expireAt with a fraction", (cache) => cache.expireAt("a", nowMs / 1_000 + 10.5), false],
  ["persist", (cache) => cache.persist("a"), false],
  ["delete", (cache) => cache.delete("a"), false],
  ["deleteMany", (cache) => cache.deleteMany(["a"]), 0],
  ["deletePattern", (cache) => cache.deletePattern("*"), 0],
  ["clear", (cache) => cache.clear(), 0],
  ["keys", (cache) => cache.keys(), []],
  ["iterKeys", (cache) => all(cache.iterKeys()), []],
  ["set with xx", (cache) => cache.set("a", 1, { xx: true }), false],
  ["set with nx", (cache) => cache.set("a", 1, { nx: true }), true],
  ["set with nx and a ttl of 0", (cache) => cache.set("a", 1, { nx: true, ttl: 0 }), true],
  ["add", (cache) => cache.add("a", 1), true],
  ["incr with create", (cache) => cache.incr("a", 5, { create: true }), 5],
  ["decr with create", (cache) => cache.decr("a", 5, { create: true }), -5],
];

/** Commands that need an entry. */
const REFUSED: readonly [string, (cache: Cache) => Promise<unknown>][] = [
  ["incr", (cache) => cache.incr("a")],
  ["decr", (cache) => cache.decr("a")],
  ["incrVersion", (cache) => cache.incrVersion("a")],
  ["decrVersion", (cache) => cache.decrVersion("a")],
];

/** Commands after which there is a new value. */
const WRITES: readonly [string, (cache: Cache) => Promise<unknown>, unknown][] = [
  ["add", (cache) => cache.add("a", "new"), "new"],
  ["set with nx", (cache) => cache.set("a", "new", { nx: true }), "new"],
  ["incr with create", (cache) => cache.incr("a", 5, { create: true }), 5],
];

export function visibility({ fleet }: Fleets): void {
  describe.each([
    ["the herd client", herd()],
    ["the default client", defaultClient()],
  ] as const)("under %s", (_client, client) => {
    describe.each(ABSENT)("%s is no entry", (_what, bytes) => {
      async function planted(): Promise<Cache> {
        const cache = fleet()({ client });
        await plant(cache, "a", bytes);
        return cache;
      }

      it.each(ANSWERS)("for %s", async (_command, run, answer) => {
        expect(await run(await planted())).toEqual(answer);
      });

      it.each(REFUSED)("for %s", async (_command, run) => {
        await expect(run(await planted())).rejects.toThrow(KeyNotFoundError);
      });

      it.each(WRITES)("for %s, which writes over it", async (_command, run, value) => {
        const cache = await planted();
        await run(cache);
        expect(await cache.get("a")).toBe(value);
      });

      it("when another is moved there", async () => {
        const cache = await planted();
        await cache.set("a", "moved", { version: 0 });
        await cache.incrVersion("a", 1, { version: 0 });
        expect(await cache.get("a")).toBe("moved");
      });

      it("for touch, expire and persist, which leave it as it was", async () => {
        const cache = await planted();
        await Promise.all([cache.touch("a", 10), cache.expire("a", 10), cache.persist("a"), cache.touch("a", null)]);
        const [left, ttl] = [
          await raw(cache, "GET", String(cache.makeKey("a"))),
          await raw(cache, "PTTL", String(cache.makeKey("a"))),
        ];
        expect([Buffer.from(left as Uint8Array).toString(), ttl]).toEqual([bytes, -1]);
      });
    });

    it("a fresh value in an envelope is one for every command", async () => {
      const cache = fleet()({ client });
      await plant(cache, "a", sealed(Date.now() + 100_000, NO_TOKEN, 0));
      expect(await cache.get("a")).toBe(7);
      expect(await cache.has("a")).toBe(true);
      expect(await cache.add("a", 1)).toBe(false);
      expect(await cache.ttl("a")).toBeGreaterThan(50);
      expect(await cache.incr("a")).toBe(8);
      expect(await cache.touch("a", 20)).toBe(true);
      expect(await cache.ttl("a")).toBeLessThanOrEqual(20);
      expect(await cache.persist("a")).toBe(true);
      expect(await cache.persist("a")).toBe(false);
      expect(await cache.ttl("a")).toBeNull();
      expect(await cache.keys()).toEqual(["a"]);
      expect(await cache.incrVersion("a")).toBe(2);
      expect(await cache.get("a", { version: 2 })).toBe(8);
      expect(await cache.delete("a", { version: 2 })).toBe(true);
    });
  });
}

async function all(keys: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const key of keys) found.push(key);
  return found;
}
