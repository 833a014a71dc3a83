import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { CacheOptions } from "../../../src/cache/options.js";
import { ConnectionError, ReplyError } from "../../../src/core/errors.js";
import { createCache, herd } from "../../../src/index.js";
import { ownPrefix } from "../../contract/cache/stored.js";
import { command } from "../../support/command.js";
import { startValkey, type ValkeyServer } from "../../support/servers.js";
import { until } from "../../support/wait.js";

let server: ValkeyServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "herd-"));
  server = await startValkey({ args: ["--enable-protected-configs", "yes"] });
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Opens caches of processes of their own, for one test. */
function fleet(): (options?: Partial<CacheOptions>) => Cache {
  const keyPrefix = ownPrefix();
  return (options) => {
    const cache = createCache({ location: server.url, client: herd({ retryAfter: 0 }), keyPrefix, ...options });
    onTestFinished(() => cache.close());
    return cache;
  };
}

/** How a server comes to refuse writes, and what it says then. */
const REFUSALS: readonly [code: string, refuse: () => Promise<() => Promise<unknown>>][] = [
  [
    "OOM",
    async () => {
      await command(server.port, ["CONFIG", "SET", "maxmemory", "1"]);
      return () => command(server.port, ["CONFIG", "SET", "maxmemory", "0"]);
    },
  ],
  [
    "READONLY",
    async () => {
      // Of a primary that isn't there, so that it keeps what it has.
      await command(server.port, ["REPLICAOF", "127.0.0.1", "1"]);
      return () => command(server.port, ["REPLICAOF", "NO", "ONE"]);
    },
  ],
  [
    "MISCONF",
    async () => {
      await command(server.port, ["CONFIG", "SET", "dir", folder, "save", "3600 1"]);
      await rm(folder, { recursive: true });
      await command(server.port, ["BGSAVE"]);
      const failed = async () =>
        /last_bgsave_status:err/.test(String(await command(server.port, ["INFO", "persistence"])));
      await until(failed, { what: "the snapshot to fail" });
      return () => command(server.port, ["CONFIG", "SET", "save", ""]);
    },
  ],
  [
    "NOREPLICAS",
    async () => {
      await command(server.port, ["CONFIG", "SET", "min-replicas-to-write", "1"]);
      return () => command(server.port, ["CONFIG", "SET", "min-replicas-to-write", "0"]);
    },
  ],
];

describe.each(REFUSALS)("a server that refuses writes with %s", (code, refuse) => {
  it("answers what it has, and has the loader called for what it hasn't", async () => {
    const onError = vi.fn();
    const open = fleet();
    const cache = open({ onError });
    await cache.setMany({ a: "stored", b: "stored" });
    await cache.set("old", "stale", { ttl: "1ms" });
    await expect.poll(() => cache.has("old")).toBe(false);
    const undo = await refuse();
    try {
      const other = open({ onError });
      const loader = vi.fn(async () => "loaded");
      for (const one of [cache, other]) expect(await one.getOrSet("a", loader)).toBe("stored");
      expect(onError).not.toHaveBeenCalled();
      expect(await other.getOrSet("old", loader)).toBe("stale");
      await until(() => onError.mock.calls.length === 1, { what: "the refused refresh" });
      expect(loader).not.toHaveBeenCalled();
      const tries = Array.from({ length: 20 }, () => other.getOrSet("missing", loader));
      expect(await Promise.all(tries)).toEqual(Array(20).fill("loaded"));
      expect(loader).toHaveBeenCalledTimes(1);
      const many = vi.fn(async (keys: string[]) => new Map(keys.map((key) => [key, "loaded"])));
      expect(await other.getOrSetMany(["a", "missing", "b"], many)).toEqual(
        new Map(Object.entries({ a: "stored", missing: "loaded", b: "stored" })),
      );
      expect(many.mock.calls.map(([keys]) => keys)).toEqual([["missing"]]);
      const told = onError.mock.calls.map(([error]) => (error as ReplyError).code);
      expect(told).toEqual([code, code, code]);
    } finally {
      await undo();
    }
    expect(await cache.has("missing")).toBe(false);
  });
});

describe("a user who may not write", () => {
  it("is answered what there is, waits for what others load, and loads for itself what nobody does", async () => {
    await command(server.port, ["ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+@connection"]);
    const onError = vi.fn();
    const open = fleet();
    const writer = open();
    const reader = open({ username: "reader", password: "secret", onError });
    await writer.set("a", "stored");
    const loader = vi.fn(async () => "loaded");
    expect(await reader.getOrSet("a", loader)).toBe("stored");
    expect(onError).not.toHaveBeenCalled();
    const loading = writer.getOrSet("b", () => new Promise((resolve) => setTimeout(resolve, 200, "written")));
    await until(async () => (await command(server.port, ["EXISTS", String(writer.makeKey("b"))])) === 1, {
      what: "the writer's lease",
    });
    expect(await reader.getOrSet("b", loader)).toBe("written");
    expect(await loading).toBe("written");
    expect(loader).not.toHaveBeenCalled();
    expect(await reader.getOrSet("c", loader)).toBe("loaded");
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(ReplyError), expect.anything());
    expect(onError.mock.calls[0]?.[0]).toHaveProperty("code", "NOPERM");
  });
});

describe("a server that is down", () => {
  it("has each process call the loader once at a time for each key, and answer with that", async () => {
    const own = await startValkey();
    const onError = vi.fn();
    const open = fleet();
    const caches = [100, 101].map((ms) => open({ location: own.url, commandTimeout: `${ms}ms`, onError }));
    await Promise.all(caches.map((cache) => cache.set("a", "stored")));
    await own.stop();
    const loader = vi.fn(() => new Promise((resolve) => setTimeout(resolve, 50, "loaded")));
    const tries = caches.flatMap((cache) => Array.from({ length: 20 }, () => cache.getOrSet("a", loader)));
    expect(await Promise.all(tries)).toEqual(Array(40).fill("loaded"));
    expect(loader).toHaveBeenCalledTimes(2);
    expect(onError).toHaveBeenCalledTimes(2);
    expect(onError.mock.calls[0]?.[0]).toBeInstanceOf(ConnectionError);
    const many = vi.fn(async (keys: string[]) => new Map(keys.map((key) => [key, key])));
    expect(await caches[0]?.getOrSetMany(["a", "b"], many)).toEqual(new Map(Object.entries({ a: "a", b: "b" })));
    expect(many).toHaveBeenCalledTimes(1);
  });
});
