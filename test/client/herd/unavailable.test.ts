import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Cache, type CacheOptions, createCache, glide, glideCluster, herd, iovalkey } from "../../../src/index.js";
import { startCluster } from "../../support/cluster.js";
import { command } from "../../support/command.js";
import { startOldServer } from "../../support/old-server.js";
import { startValkey, type ValkeyServer } from "../../support/servers.js";
import { stopwatch } from "../../support/stopwatch.js";
import { until } from "../../support/wait.js";

let server: ValkeyServer;
beforeAll(async () => {
  server = await startValkey();
  await command(server.port, ["ACL", "SETUSER", "plain", "on", ">x", "~*", "&*", "+@read", "+@write", "+@connection"]);
});
afterAll(() => server?.stop());

const asUser = (user: string): string => server.url.replace("//", `//${user}:x@`);
const sleep = (ms: number, value: string) => new Promise((resolve) => setTimeout(resolve, ms, value));

/** Opens caches of processes of their own: what differs in an option shares no connection. */
function fleet(options: Partial<CacheOptions>, connectionFactory: typeof glide | typeof iovalkey) {
  let timeoutMs = 1_000;
  const keyPrefix = `unavailable-${Math.random()}`;
  return (): { cache: Cache; warn: ReturnType<typeof vi.fn<(text: string) => void>> } => {
    const warn = vi.fn<(text: string) => void>();
    const cache = createCache({
      location: asUser("plain"),
      client: herd(),
      connectionFactory: connectionFactory({ commandTimeout: `${timeoutMs++}ms` }),
      keyPrefix,
      logger: { warn },
      ...options,
    });
    onTestFinished(() => cache.close());
    return { cache, warn };
  };
}

/** How often the server ran a script or refused one. */
async function scriptsRun(): Promise<number> {
  const stats = String(await command(server.port, ["INFO", "commandstats"]));
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+).*?rejected_calls=(\d+)/g)].reduce(
    (sum, [, calls, rejected]) => sum + Number(calls) + Number(rejected),
    0,
  );
}

describe.each([
  ["GLIDE", glide],
  ["iovalkey", iovalkey],
] as const)("herd() over %s", (_name, factory) => {
  describe("for a user whose ACL allows no scripts", () => {
    it("loads, stores and answers each value, and no caller waits for a lease", async () => {
      const open = fleet({}, factory);
      const { cache } = open();
      const took = stopwatch();
      for (let i = 0; i < 6; i++) expect(await cache.getOrSet(`key ${i}`, () => `loaded ${i}`)).toBe(`loaded ${i}`);
      const { cache: other } = open();
      const loader = vi.fn(() => "not called");
      for (let i = 0; i < 6; i++) expect(await other.getOrSet(`key ${i}`, loader)).toBe(`loaded ${i}`);
      expect(loader).not.toHaveBeenCalled();
      expect(took()).toBeLessThan(1_000);
    });

    it("lets callers of other processes wait for the load during which the refusal shows, and no longer", async () => {
      const open = fleet({}, factory);
      const [{ cache }, { cache: other }] = [open(), open()];
      const loading = cache.getOrSet("a", () => sleep(200, "first"));
      await until(() => other.connection.send([["EXISTS", String(other.makeKey("a"))]]).then(([n]) => n === 1), {
        what: "the first lease",
      });
      const took = stopwatch();
      const loader = vi.fn(() => "second");
      expect(await other.getOrSet("a", loader)).toBe("first");
      expect(took()).toBeLessThan(1_000);
      expect(loader).not.toHaveBeenCalled();
      expect(await loading).toBe("first");
    });

    it("has one load for all concurrent callers of a process", async () => {
      const { cache } = fleet({}, factory)();
      await cache.getOrSet("notice", () => 1);
      const loader = vi.fn(() => sleep(50, "loaded"));
      const all = await Promise.all(Array.from({ length: 30 }, () => cache.getOrSet("a", loader)));
      expect(all).toEqual(Array(30).fill("loaded"));
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("asks for no script again, warns once with the rule that allows them, and shows it in health()", async () => {
      const { cache, warn } = fleet({}, factory)();
      await Promise.all(Array.from({ length: 20 }, (_, i) => cache.getOrSet(`key ${i}`, () => i)));
      const before = await scriptsRun();
      for (let i = 0; i < 20; i++) await cache.getOrSet(`later ${i}`, () => i);
      await cache.getOrSetMany(["m1", "m2"], (keys) => new Map(keys.map((key) => [key, 1])));
      expect(await scriptsRun()).toBe(before);
      expect(warn).toHaveBeenCalledTimes(1);
      expect(warn.mock.calls[0]?.[0]).toMatch(
        /^valkey-edge-cache: NOPERM .*'eval'.*"ACL SETUSER plain \+eval \+evalsha" at valkey:\/\/.*each process loads missing values by itself\.$/,
      );
      expect(await cache.health()).toMatchObject({ state: "closed", unavailable: expect.arrayContaining(["EVAL"]) });
    });

    it("refreshes stale values, one refresh at a time, and stores them", async () => {
      const { cache } = fleet({}, factory)();
      await cache.getOrSet("notice", () => 1);
      await cache.getOrSet("a", () => "old", { ttl: "20ms" });
      await until(async () => !(await cache.has("a")), { what: "the value to be stale" });
      const loader = vi.fn(() => sleep(30, "new"));
      const answers = await Promise.all(Array.from({ length: 10 }, () => cache.getOrSet("a", loader)));
      expect(answers).toEqual(Array(10).fill("old"));
      await until(async () => (await cache.get("a")) === "new", { what: "the refresh" });
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("stores several values, and leaves nothing behind a loader that fails", async () => {
      const { cache } = fleet({}, factory)();
      for (const key of ["first", "second"]) {
        await expect(cache.getOrSet(key, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
        expect(await cache.getOrSet(key, () => "mended")).toBe("mended");
      }
      const many = vi.fn((keys: string[]) => new Map(keys.map((key) => [key, key])));
      expect((await cache.getOrSetMany(["a", "b"], many)).size).toBe(2);
      expect((await cache.getOrSetMany(["a", "b"], many)).size).toBe(2);
      expect(many).toHaveBeenCalledTimes(1);
      await cache.getOrSet("gone", () => undefined);
      expect(await cache.has("gone")).toBe(false);
    });

    it("stores no value over a write or a delete of the same process", async () => {
      const { cache } = fleet({}, factory)();
      // The first one finds the refusal out, with a lease; the second one has none.
      for (const key of ["a", "b"]) {
        const loader = vi.fn(() => sleep(100, "older"));
        const loading = cache.getOrSet(key, loader);
        await until(() => loader.mock.calls.length > 0, { what: "the load" });
        await cache.set(key, "newer");
        expect(await loading).toBe("older");
        expect(await cache.get(key)).toBe("newer");
      }
    });

    it("takes leases again once the user may run scripts and the refusal is five minutes old", async () => {
      await command(server.port, [
        "ACL",
        "SETUSER",
        "later",
        "reset",
        "on",
        ">x",
        "~*",
        "&*",
        "+@read",
        "+@write",
        "+ping",
      ]);
      const { cache } = fleet({ location: asUser("later") }, factory)();
      await cache.getOrSet("notice", () => 1);
      await command(server.port, ["ACL", "SETUSER", "later", "+eval", "+evalsha", "+time"]);
      const before = await scriptsRun();
      await cache.getOrSet("a", () => 1);
      expect(await scriptsRun()).toBe(before);
      vi.spyOn(Date, "now").mockReturnValue(Date.now() + 300_000);
      await cache.getOrSet("b", () => 1);
      expect(await scriptsRun()).toBeGreaterThan(before);
      expect(cache.connection.status().unavailable ?? []).not.toContain("EVAL");
    });
  });

  it("goes without leases where a command inside the scripts is refused", async () => {
    await command(server.port, ["ACL", "SETUSER", "timeless", "on", ">x", "~*", "&*", "+@all", "-time"]);
    const { cache, warn } = fleet({ location: asUser("timeless") }, factory)();
    const took = stopwatch();
    for (let i = 0; i < 4; i++) {
      await cache.getOrSet("a", () => i, { ttl: "10ms" });
      await until(async () => !(await cache.has("a")), { what: "the value to be stale" });
    }
    expect(took()).toBeLessThan(1_000);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toContain("ACL SETUSER timeless +time");
  });

  it("sends the source of scripts to a user whose ACL allows EVAL alone", async () => {
    await command(server.port, ["ACL", "SETUSER", "digestless", "on", ">x", "~*", "&*", "+@all", "-evalsha"]);
    const { cache, warn } = fleet({ location: asUser("digestless") }, factory)();
    for (let i = 0; i < 4; i++) await cache.getOrSet(`key ${i}`, () => i);
    expect(await cache.incr("n", 1, { create: true })).toBe(1);
    expect(await cache.incr("n")).toBe(2);
    expect(warn).not.toHaveBeenCalled();
  });

  it("takes no lock that the user could not release", async () => {
    await command(server.port, ["ACL", "SETUSER", "lockless", "on", ">x", "~*", "&*", "+@all", "-eval", "-evalsha"]);
    const { cache } = fleet({ location: asUser("lockless") }, factory)();
    await expect(cache.lock("job")).rejects.toThrow(/"ACL SETUSER lockless \+eval \+evalsha"/);
    await command(server.port, ["ACL", "SETUSER", "lockless", "+eval", "+evalsha"]);
    await using lock = await cache.lock("job");
    expect(lock).toBeDefined();
  });

  it("says what a refusal costs, also where lock() has met it first", async () => {
    const { cache, warn } = fleet({}, factory)();
    await expect(cache.lock("job")).rejects.toThrow(/NOPERM/);
    expect(warn).not.toHaveBeenCalled();
    for (let i = 0; i < 3; i++) expect(await cache.getOrSet(`key ${i}`, () => i)).toBe(i);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toMatch(/ACL SETUSER plain \+eval \+evalsha.*each process loads missing values/);
  });

  it("deletes by DEL where UNLINK is refused", async () => {
    await command(server.port, ["ACL", "SETUSER", "linked", "on", ">x", "~*", "&*", "+@all", "-unlink"]);
    const { cache } = fleet({ location: asUser("linked") }, factory)();
    await cache.setMany({ a: 1, b: 2, c: 3 });
    expect(await cache.delete("a")).toBe(true);
    expect(await cache.deleteMany(["a", "b"])).toBe(1);
    expect(await cache.clear()).toBe(1);
    expect(await cache.has("c")).toBe(false);
    expect((await cache.health()).unavailable).toContain("UNLINK");
  });

  it("shares the loads of concurrent getOrSetMany of one process without leases", async () => {
    const { cache } = fleet({}, factory)();
    await cache.getOrSet("notice", () => 1);
    const loader = vi.fn(async (keys: string[]) => {
      await sleep(50, "");
      return new Map(keys.map((key) => [key, `loaded ${key}`]));
    });
    const calls = [
      ["a", "b"],
      ["b", "c"],
      ["a", "b", "c"],
    ].map((keys) => cache.getOrSetMany(keys, loader));
    const [first, second, third] = await Promise.all(calls);
    expect([...(third ?? [])]).toEqual(["a", "b", "c"].map((key) => [key, `loaded ${key}`]));
    expect([first?.size, second?.size]).toEqual([2, 2]);
    expect(loader.mock.calls.flatMap(([keys]) => keys).sort()).toEqual(["a", "b", "c"]);
  });

  it("works without leases behind a server that has no EVAL", async () => {
    await using proxied = await startValkey({
      args: ["--rename-command", "EVAL", "", "--rename-command", "EVALSHA", ""],
    });
    const { cache, warn } = fleet({ location: proxied.url }, factory)();
    for (let i = 0; i < 4; i++) expect(await cache.getOrSet(`key ${i}`, () => i)).toBe(i);
    expect(await cache.get("key 3")).toBe(3);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toMatch(/has no EVAL: use a server or a proxy that has it/);
    await expect(cache.lock("job")).rejects.toThrow(/has no EVAL/);
  });

  it("checks members one by one on a server before 6.2, which has no SMISMEMBER", async () => {
    await using old = await startValkey({ args: ["--rename-command", "SMISMEMBER", ""] });
    const { cache } = fleet({ location: old.url }, factory)();
    await cache.sets.add("set", ["a", "b"]);
    expect(await cache.sets.hasMany("set", ["a", "x", "b"])).toEqual([true, false, true]);
    expect((await cache.health()).unavailable).toEqual(["SMISMEMBER"]);
  });

  it("claims by a script on a server before 7.0, with one load for the whole fleet", async () => {
    await using old = await startOldServer(server);
    const open = fleet({ location: old.url }, factory);
    const fleetOfTwo = [open(), open()];
    const loader = vi.fn(() => sleep(100, "loaded"));
    for (const key of ["a", "b"]) {
      const all = fleetOfTwo.flatMap(({ cache }) => Array.from({ length: 5 }, () => cache.getOrSet(key, loader)));
      expect(await Promise.all(all)).toEqual(Array(10).fill("loaded"));
    }
    expect(loader).toHaveBeenCalledTimes(2);
    expect(old.refused).toBe(2);
    for (const { cache, warn } of fleetOfTwo) {
      const many = await cache.getOrSetMany(["a", "c"], (keys) => new Map(keys.map((key) => [key, key])));
      expect(many).toEqual(new Map(Object.entries({ a: "loaded", c: "c" })));
      expect(warn).toHaveBeenCalledTimes(1);
      expect(warn.mock.calls[0]?.[0]).toMatch(/is older than 7\.0.*update it; herd\(\) takes its leases by a script/);
      expect(cache.connection.status().unavailable).toEqual(["SET NX GET"]);
    }
  });
});

describe("herd() in a cluster, for a user whose ACL forbids SCRIPT LOAD", () => {
  it("runs them by EVAL and by digest, asks once for each script, and shows it in health()", async () => {
    await using cluster = await startCluster();
    for (const { port } of cluster.nodes)
      await command(port, ["ACL", "SETUSER", "loadless", "on", ">x", "~*", "&*", "+@all", "-script|load"]);
    await using cache = createCache({
      location: cluster.nodes.map(({ url }) => url.replace("//", "//loadless:x@")),
      connectionFactory: glideCluster(),
      client: herd(),
    });
    const refused = async (): Promise<number> => {
      const stats = await Promise.all(cluster.nodes.map(({ port }) => command(port, ["INFO", "commandstats"])));
      return stats.reduce((sum: number, text) => {
        return sum + Number(/cmdstat_script\|load:.*?rejected_calls=(\d+)/.exec(String(text))?.[1] ?? 0);
      }, 0);
    };
    expect(await cache.incr("n", 1, { create: true })).toBe(1);
    await until(async () => (await refused()) > 0, { what: "the refusal" });
    const health = async () => (await cache.health()).unavailable?.includes("SCRIPT LOAD");
    await until(health, { what: "the refusal to be shown" });
    const before = await refused();
    for (let i = 0; i < 20; i++) expect(await cache.incr(`n ${i}`, 1, { create: true })).toBe(1);
    expect(await refused()).toBe(before);
    expect(await cache.getOrSet("a", () => "loaded")).toBe("loaded");
    expect(await cache.getOrSet("a", () => "not called")).toBe("loaded");
  });
});
