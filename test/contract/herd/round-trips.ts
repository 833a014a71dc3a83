import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { CacheOptions } from "../../../src/cache/options.js";
import { defaultClient } from "../../../src/client/default-client.js";
import { herd } from "../../../src/client/herd/client.js";
import type { Connection } from "../../../src/core/connection.js";
import { ownPrefix } from "../cache/stored.js";
import { slowLoader } from "./fleet.js";

/** A server whose scripts the suite may flush, and a way to it on which round trips are counted. */
export interface RoundTripsSubject {
  /** To the same server, by another way. */
  readonly connection: Connection;
  /** A cache with a connection of its own. */
  open(options: Partial<CacheOptions>): Cache;
  /** How often clients have waited for the server: all that one sends until it answers counts once. */
  roundTrips(): number;
  stop(): Promise<void>;
}

/** How often callers under the herd client wait for the server. */
export function roundTrips(name: string, make: () => Promise<RoundTripsSubject>): void {
  describe(`round trips over ${name}`, () => {
    let subject: RoundTripsSubject;
    beforeAll(async () => {
      subject = await make();
    });
    afterAll(() => subject?.stop());

    function open(options: Partial<CacheOptions> = {}): Cache {
      const cache = subject.open({ keyPrefix: ownPrefix(), client: herd(), ...options });
      onTestFinished(() => cache.close());
      return cache;
    }

    /** How often `work` had to wait for the server. */
    async function trips(work: () => Promise<unknown>): Promise<number> {
      const before = subject.roundTrips();
      await work();
      return subject.roundTrips() - before;
    }

    /** A cache that has sent its first command. */
    async function warm(): Promise<Cache> {
      const cache = open();
      await cache.has("anything");
      return cache;
    }

    it("are one for a hit, the first and all others", async () => {
      const cache = await warm();
      await cache.set("a", { a: 1 });
      for (let i = 0; i < 3; i++) expect(await trips(() => cache.getOrSet("a", () => 0))).toBe(1);
    });

    it("are one from a miss to its loader, and one from there to what is stored, also where no script is known", async () => {
      const cache = await warm();
      await subject.connection.send([["SCRIPT", "FLUSH"]]);
      const loader = slowLoader<number>();
      let given: Promise<number> | undefined;
      const toLoader = await trips(async () => {
        given = cache.getOrSet("a", loader);
        await expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1);
      });
      expect(toLoader).toBe(1);
      const toStored = await trips(async () => {
        loader.resolve(1);
        await given;
      });
      expect(toStored).toBe(1);
      expect(await subject.connection.send([["EXISTS", String(cache.makeKey("a"))]])).toEqual([1]);
    });

    it("are one from a miss to its loader beyond the handshake, when that is a connection's first command", async () => {
      const handshake = await trips(() => open({ client: defaultClient() }).has("anything"));
      const loader = slowLoader<number>();
      const cache = open();
      const toLoader = await trips(async () => {
        void cache.getOrSet("a", loader);
        await expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1);
      });
      expect(toLoader).toBe(handshake);
      loader.resolve(1);
    });

    it("are one to begin replacing a stale value, for which no caller waits", async () => {
      const cache = await warm();
      await cache.set("a", "old", { ttl: "1ms" });
      await expect.poll(() => cache.has("a")).toBe(false);
      const loader = slowLoader<string>();
      const answered = await trips(async () => {
        expect(await cache.getOrSet("a", loader)).toBe("old");
      });
      expect(answered).toBe(1);
      const begun = await trips(() => expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1));
      expect(begun).toBeLessThanOrEqual(1);
      loader.resolve("new");
    });

    it("are one to read or claim many keys", async () => {
      const cache = await warm();
      const keys = Array.from({ length: 50 }, (_key, i) => `key ${i}`);
      let toLoader = 0;
      const before = subject.roundTrips();
      await cache.getOrSetMany(keys, async (missing) => {
        toLoader = subject.roundTrips() - before;
        return new Map(missing.map((key) => [key, { key }]));
      });
      expect(toLoader).toBe(1);
      expect(await trips(() => cache.getOrSetMany(keys, () => ({})))).toBe(1);
    });
  });
}
