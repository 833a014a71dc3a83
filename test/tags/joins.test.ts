import { describe, expect, it } from "vitest";
import { createCache, defaultClient, herd, memory } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";
import { watched } from "../support/watched.js";

const TAGS = { tags: ["a"] };

/** A cache whose round trips a test sees, fails and holds up, and another one over the same data. */
function open(client = defaultClient()) {
  const inner = memory();
  const { factory, ...store } = watched(inner);
  let next: { isHeld: boolean; now(): void; wait(): Promise<void> } | undefined;
  const connect: typeof factory.connect = (...args) => {
    const connection = factory.connect(...args);
    const send: typeof connection.send = async (commands, sendOptions) => {
      const held = next;
      next = undefined;
      const replies = await connection.send(commands, sendOptions);
      await held?.wait();
      return replies;
    };
    return { ...connection, send };
  };
  const options = { location: `memory://${crypto.randomUUID()}`, client };
  return {
    ...store,
    /** Holds the reply to the next commands up. */
    hold() {
      const { promise, resolve } = deferred<void>();
      const held = {
        isHeld: false,
        now: () => resolve(),
        wait() {
          held.isHeld = true;
          return promise;
        },
      };
      next = held;
      return held;
    },
    cache: createCache({ ...options, connectionFactory: { shares: factory.shares, connect }, onError: () => {} }),
    other: createCache({ ...options, connectionFactory: inner }),
  };
}

describe.each([
  ["the default client", () => defaultClient()],
  ["herd()", () => herd()],
])("callers that share a lookup under %s", (_name, client) => {
  it("get no value that was found before a purge, where they come after it", async () => {
    const { cache, other, hold } = open(client());
    await cache.getOrSet("k", () => "before", TAGS);
    const release = hold();
    const first = cache.getOrSet("k", () => "not called", TAGS);
    await until(() => release.isHeld, { what: "the first one's reply" });
    await other.purgeTags(["a"]);
    const late = cache.getOrSet("k", () => "after", TAGS);
    release.now();
    expect(await Promise.all([first, late])).toEqual(["before", "after"]);
  });

  it("send no read of the log of their own where they come together, again and again", async () => {
    const { cache, roundTrips } = open(client());
    await cache.getOrSet("k", () => "value", TAGS);
    await cache.getOrSet("k", () => "not called");
    roundTrips.length = 0;
    await cache.getOrSet("k", () => "not called");
    const alone = roundTrips.flatMap((roundTrip) => (roundTrip.kind === "send" ? roundTrip.commands : []));
    roundTrips.length = 0;
    const all = Array.from({ length: 50 }, async () => {
      const values: string[] = [];
      for (let times = 0; times < 3; times++) values.push(await cache.getOrSet("k", () => "not called"));
      return values;
    });
    expect(new Set((await Promise.all(all)).flat())).toEqual(new Set(["value"]));
    const together = roundTrips.flatMap((roundTrip) => (roundTrip.kind === "send" ? roundTrip.commands : []));
    expect(together).toEqual([...alone, ...alone, ...alone]);
  });

  it("load once more, all together, where nothing says whether the value was purged", async () => {
    const { cache, fail } = open(client());
    await cache.purgeTags(["b"]);
    await cache.getOrSet("other", () => "value", TAGS);
    const [began, value] = [deferred<void>(), deferred<string>()];
    const leader = cache.getOrSet(
      "k",
      () => {
        began.resolve();
        return value.promise;
      },
      TAGS,
    );
    await began.promise;
    fail(new Error("the store is gone"));
    let loads = 0;
    const late = [1, 2, 3].map(() => cache.getOrSet("k", () => `own ${++loads}`, TAGS));
    value.resolve("before");
    expect(await leader).toBe("before");
    expect(await Promise.all(late)).toEqual(["own 1", "own 1", "own 1"]);
  });
});
