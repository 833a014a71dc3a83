import { describe, expect, inject, it } from "vitest";
import { ConfigurationError, createCache, nearCache } from "../../src/index.workerd.js";
import { connectTo } from "./request.js";

const STALE_MS = 300;

function open(keyPrefix: string) {
  const cache = createCache({
    location: inject("valkeyUrl"),
    keyPrefix,
    nearCache: nearCache({ maxStaleness: STALE_MS / 1_000 }),
  });
  let roundTrips = 0;
  cache.on("roundTrip", () => void roundTrips++);
  /** Reads in an invocation of its own. */
  const read = async (key: string) => {
    const before = roundTrips;
    const value = await cache.for({}).get(key);
    return { value, isKnown: roundTrips === before };
  };
  return { cache, read };
}

async function write(key: string, value: string): Promise<void> {
  await using connection = connectTo(inject("valkeyUrl"));
  await connection.send([["SET", key, value]]);
}

describe("a near cache in a Worker", () => {
  it("answers in later invocations what an earlier one has read, for maxStaleness at most", async () => {
    const { cache, read } = open("near-worker");
    await cache.for({}).set("key", 1);
    expect(await read("key")).toEqual({ value: 1, isKnown: false });
    expect(await read("key")).toEqual({ value: 1, isKnown: true });
    await write("near-worker:1:key", "2");
    const writtenMs = Date.now();
    while ((await read("key")).value !== 2) {
      expect(Date.now() - writtenMs).toBeLessThan(STALE_MS + 2_000);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect((await cache.for({}).health()).nearCache).toMatchObject({ invalidation: "ttl", listening: false });
  });

  it("answers writes of other invocations at once", async () => {
    const { cache, read } = open("near-writes");
    for (const value of [1, 2, 3]) {
      await cache.for({}).set("key", value);
      expect((await read("key")).value).toBe(value);
      expect(await read("key")).toEqual({ value, isKnown: true });
    }
    await cache.for({}).delete("key");
    expect((await read("key")).value).toBeUndefined();
  });

  it.each(["tracking", "channel"] as const)("refuses invalidation %s, as nothing can listen", (invalidation) => {
    const make = () => createCache({ location: inject("valkeyUrl"), nearCache: nearCache({ invalidation }) });
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(/no connection outlives a request here.*"ttl"/);
  });
});
