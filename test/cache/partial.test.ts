import { describe, expect, it } from "vitest";
import { type Cache, createCache, glideCluster, memory, ReplyError } from "../../src/index.js";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { startValkey } from "../support/servers.js";

/** Servers of its own, as what is done to them would harm other tests. */
describe("a store that takes only some of the entries", () => {
  /** A user who may write keys that begin with `ok`, and no others. */
  async function limited(port: number): Promise<{ username: string; password: string }> {
    await command(port, ["ACL", "SETUSER", "limited", "on", ">pass", "+@all", "~:1:ok*"]);
    return { username: "limited", password: "pass" };
  }

  it("has setMany name those that were not written", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...(await limited(server.port)) });
    expect(await cache.setMany({ "ok 1": 1, no: 2, "ok 2": 3, never: 4 })).toEqual(["no", "never"]);
    expect(await cache.getMany(["ok 1", "ok 2"])).toEqual(
      new Map([
        ["ok 1", 1],
        ["ok 2", 3],
      ]),
    );
  });

  it("has mset write nothing at all", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...(await limited(server.port)) });
    await expect(cache.mset({ "ok 1": 1, no: 2 })).rejects.toThrow(ReplyError);
    expect(await cache.has("ok 1")).toBe(false);
  });

  it("in memory has setMany name those that don't fit, and mset write nothing", async () => {
    const cache = createCache({ location: "memory:", connectionFactory: memory({ maxSize: 2_000 }) });
    const entries = { small: "x", large: "x".repeat(3_000) };
    expect(await cache.setMany(entries)).toEqual(["large"]);
    expect(await cache.get("small")).toBe("x");
    await cache.delete("small");
    await expect(cache.mset(entries)).rejects.toThrow(/OOM/);
    expect(await cache.has("small")).toBe(false);
  });
});

describe("flush", () => {
  async function fill(cache: Cache): Promise<void> {
    await cache.setMany(Array.from({ length: 100 }, (_, i) => [`key ${i}`, i] as const));
    await cache.set("other", 1, { prefix: "other", version: 7 });
    await cache.lock("job");
  }

  async function expectEmpty(cache: Cache): Promise<void> {
    expect(await cache.keys()).toEqual([]);
    expect(await cache.has("other", { prefix: "other", version: 7 })).toBe(false);
    expect(await cache.lock("job")).toBeDefined();
  }

  it("empties the database of a server, whosever the entries are, and no other database", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url });
    await using neighbour = createCache({ location: `${server.url}/1` });
    await fill(cache);
    await neighbour.set("a", 1);
    expect(await cache.flush()).toBeUndefined();
    await expectEmpty(cache);
    expect(await neighbour.get("a")).toBe(1);
  });

  it("empties every node of a cluster", async () => {
    await using cluster = await startCluster();
    await using cache = createCache({ location: cluster.url, connectionFactory: glideCluster() });
    await fill(cache);
    await cache.flush();
    await expectEmpty(cache);
    for (const { port } of cluster.nodes) expect(await command(port, ["DBSIZE"])).toBeLessThanOrEqual(1);
  });

  it("empties a store in memory, and no other one", async () => {
    const connectionFactory = memory();
    const cache = createCache({ location: "memory:one", connectionFactory });
    const neighbour = createCache({ location: "memory:two", connectionFactory });
    await fill(cache);
    await neighbour.set("a", 1);
    await cache.flush();
    await expectEmpty(cache);
    expect(await neighbour.get("a")).toBe(1);
  });
});
