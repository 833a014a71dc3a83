import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type CacheOptions, glideCluster, herd } from "../../src/index.js";
import { command } from "../support/command.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { Near } from "./near.js";

const CHANNEL = "valkey-edge-cache:near:app:1:";

let server: ValkeyServer;
beforeAll(async () => {
  server = await startValkey();
});
afterAll(() => server.stop());

/** A process listens once to each name of a server, so two names stand for two processes. */
function open(host: string, options: Partial<CacheOptions> = {}, prefix = "app"): Near {
  const given = { location: `valkey://${host}:${server.port}`, keyPrefix: prefix, commandTimeout: 5, ...options };
  // Entries stay for a minute unless their changes are reported.
  return new Near(given as CacheOptions, { invalidation: "channel", maxStaleness: "1m" });
}

async function pair(options: Partial<CacheOptions> = {}): Promise<[Near, Near]> {
  const nears = [open("127.0.0.1", options), open("localhost", options)] as [Near, Near];
  await listen(nears);
  return nears;
}

async function listen(nears: readonly Near[]): Promise<void> {
  for (const near of nears) await near.cache.set("first", 1);
  for (const near of nears) {
    await until(async () => (await near.health()).listening, { what: "the near cache to listen" });
  }
}

describe("near caches that tell each other of their writes", () => {
  it.each<[string, (one: Near) => Promise<unknown>, unknown]>([
    ["set", ({ cache }) => cache.set("{t}:key", 2), 2],
    ["a conditional set", ({ cache }) => cache.set("{t}:key", 2, { xx: true }), 2],
    ["setMany", ({ cache }) => cache.setMany({ "{t}:key": 2, other: 1 }), 2],
    ["an atomic mset", ({ cache }) => cache.mset({ "{t}:key": 2, "{t}:other": 1 }), 2],
    ["incr", ({ cache }) => cache.incr("{t}:key"), 2],
    ["delete", ({ cache }) => cache.delete("{t}:key"), undefined],
    ["expire", ({ cache }) => cache.expire("{t}:key", 0.001), undefined],
    ["clear", ({ cache }) => cache.clear(), undefined],
  ])("end each other's entries: %s", async (_what, write, value) => {
    const [one, other] = await pair();
    await using _one = one;
    await using _other = other;
    await one.cache.set("{t}:key", 1);
    await until(() => other.knows("{t}:key"), { what: "an entry to be kept" });
    await write(one);
    await other.sees("{t}:key", value);
  });

  it("end each other's entries under herd(), whose writes are scripts", async () => {
    const [one, other] = await pair({ client: herd() });
    await using _one = one;
    await using _other = other;
    await one.cache.set("herded", 1);
    await until(() => other.knows("herded"), { what: "an entry to be kept" });
    await one.cache.delete("herded");
    await one.cache.getOrSet("herded", () => 2);
    await other.sees("herded", 2);
  });

  it("end each other's entries in a cluster, whose nodes pass messages on", async () => {
    const nodes = inject("clusterUrl").split(",");
    const connectionFactory = glideCluster();
    const near = (location: readonly string[]) =>
      new Near({ location, connectionFactory, keyPrefix: "announced" } as CacheOptions, {
        invalidation: "channel",
        maxStaleness: "1m",
      });
    await using one = near(nodes);
    await using other = near(nodes.toReversed());
    await listen([one, other]);
    for (const key of ["a", "b", "c", "d", "e", "f"]) {
      await one.cache.set(key, 1);
      await until(() => other.knows(key), { what: "an entry to be kept" });
      await one.cache.set(key, 2);
      await other.sees(key, 2);
    }
    expect([...one.errors, ...other.errors]).toEqual([]);
  });

  it.each(["", "not json", '{"a":1}', "[1,2]", "null", '["app:1:other', "\u0000\uffff", "x".repeat(100_000)])(
    "drop all that they know on a message that they can't read: %.20j",
    async (message) => {
      await using near = open("127.0.0.1");
      await using other = open("127.0.0.1", {}, "other");
      // All is dropped when they begin to listen.
      await listen([near, other]);
      await near.keep("key", 1);
      await other.keep("key", 1);
      // Told to the server alone.
      await command(server.port, ["SET", "app:1:key", "2"]);
      expect(await near.read("key")).toEqual({ value: 1, isKnown: true });
      await command(server.port, ["PUBLISH", CHANNEL, message]);
      await near.sees("key", 2);
      expect(await other.knows("key")).toBe(true);
      expect(near.errors).toEqual([]);
    },
  );
});
