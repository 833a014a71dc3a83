import { describe, expect, it, onTestFinished, vi } from "vitest";
import * as edge from "../../src/index.edge.js";
import * as node from "../../src/index.js";
import * as workerd from "../../src/index.workerd.js";
import { readSources } from "../support/sources.js";

const WORKER = "Cloudflare-Workers";

describe("every entry point", () => {
  it.each([
    ["workerd", workerd],
    ["edge", edge],
  ])("has what Node's has: %s", (_, entry) => {
    expect(Object.keys(entry).sort()).toEqual(Object.keys(node).sort());
  });

  it.each([
    ["index.workerd.ts", /glide|\/iovalkey\.ts$/],
    ["index.edge.ts", /glide|iovalkey/],
  ])("of a runtime without native code can't reach it: %s", (entry, forbidden) => {
    const sources = new Map(readSources().map((source) => [source.path, source]));
    const reached = new Set([entry]);
    for (const path of reached) for (const file of sources.get(path)?.files ?? []) reached.add(file);
    expect(reached.size).toBeGreaterThan(30);
    expect([...reached].filter((path) => forbidden.test(path))).toEqual([]);
  });
});

describe("the entry point of Workers", () => {
  it("names the replacement of glide() and glideCluster()", () => {
    for (const factory of [workerd.glide, workerd.glideCluster]) {
      expect(factory).toThrow(workerd.ConfigurationError);
      expect(factory).toThrow(/can't run here: it is native code; use iovalkey\(\)/);
    }
  });

  it("supports memory: with its factory, and names the factory without it", async () => {
    expect(() => workerd.createCache({ location: "memory:" })).toThrow(
      /wants "connectionFactory: memory\(\)" beside it/,
    );
    await using cache = workerd.createCache({ location: "memory:", connectionFactory: workerd.memory() });
    await using view = cache.for({});
    await view.set("a", 1);
    expect(await cache.get("a")).toBe(1);
  });

  it("rejects every command of a cache outside requests, even those with a loader", async () => {
    vi.stubGlobal("navigator", { userAgent: WORKER });
    await using cache = workerd.createCache({ location: "valkey://localhost", client: workerd.herd() });
    const calls = [
      () => cache.get("a"),
      () => cache.getOrSet("a", () => 1),
      () => cache.set("a", 1),
      () => cache.keys(),
      () => cache.incr("a"),
      () => cache.connection.send([["PING"]]),
    ];
    for (const call of calls) {
      const error = await call().then(String, (thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(workerd.ConfigurationError);
      expect(String(error)).toContain("inside the handler use cache.for({ waitUntil: (p) => ctx.waitUntil(p) })");
    }
  });

  it("lets a view finish its request's work before it closes its connection", async () => {
    vi.stubGlobal("navigator", { userAgent: WORKER });
    const cache = workerd.createCache({ location: "memory:", connectionFactory: workerd.memory() });
    onTestFinished(() => cache.close());
    const view = cache.for({});
    const begun = view.setMany({ a: 1, b: 2 });
    await view.close();
    expect(await begun).toEqual([]);
    await expect(view.get("a")).rejects.toThrow(workerd.ConnectionError);
  });
});

describe("the entry point without TCP", () => {
  it("supports memory: with and without a name", async () => {
    await using one = edge.createCache({ location: "memory:shared" });
    await using other = edge.createCache({ location: "memory:shared", client: edge.herd() });
    await one.set("a", 1);
    expect(await other.getOrSet("a", () => 2)).toBe(1);
  });

  it("rejects a server's location and the factories that dial", () => {
    for (const location of ["valkey://localhost", "rediss://localhost", "unix:///tmp/x"]) {
      const make = () => edge.createCache({ location });
      expect(make).toThrow(edge.ConfigurationError);
      expect(make).toThrow(/this runtime has no TCP; use "memory:", or rest\(\) of valkey-edge-cache\/rest/);
      expect(make).toThrow(/for Node, bundle with --platform=node \(esbuild\)/);
    }
    for (const factory of [edge.glide, edge.glideCluster, edge.iovalkey]) expect(factory).toThrow(/no TCP/);
  });

  it("supports a custom connection factory", async () => {
    const sent: unknown[] = [];
    const connectionFactory: node.ConnectionFactory = {
      shares: false,
      connect: () => ({
        send: async (commands) => {
          sent.push(...commands);
          return commands.map(() => null);
        },
        script: async () => null,
        async *scan() {},
        status: () => ({ state: "idle", lastError: undefined }),
        close: async () => {},
        [Symbol.asyncDispose]: async () => {},
      }),
    };
    await using cache = edge.createCache({ location: "valkey://over.http", connectionFactory });
    expect(await cache.get("a")).toBeUndefined();
    expect(sent).toEqual([["GET", ":1:a"]]);
  });

  it("has createCaches for several caches", async () => {
    await using caches = edge.createCaches({ default: { location: "memory:" } });
    await caches.default.set("a", 1);
    expect(await caches.default.get("a")).toBe(1);
  });
});
