import { describe, expect, it, vi } from "vitest";
import {
  type Answer,
  type Client,
  type ClientContext,
  createCache,
  createCaches,
  DefaultClient,
  defaultClient,
  type Encoded,
  HerdClient,
  type Loaded,
  type Loader,
  type LoadOptions,
  memory,
  type Reply,
  type Shared,
  type Stored,
} from "../../src/index.js";

describe("a client of the user's own", () => {
  it("may extend the default one", async () => {
    class Shouting extends DefaultClient {
      override async get(key: string): Promise<unknown> {
        const value = await super.get(key);
        return typeof value === "string" ? value.toUpperCase() : value;
      }
    }
    const cache = createCache({ location: "memory:", client: (context) => new Shouting(context) });
    await cache.set("a", "text");
    expect(await cache.get("a")).toBe("TEXT");
    expect(await cache.getMany(["a"])).toEqual(new Map([["a", "text"]]));
  });

  it("may extend what the default client does inside, with the types that the package exports", async () => {
    const calls: string[] = [];
    class Recording extends DefaultClient {
      protected override answer(
        key: string,
        loader: Loader<unknown>,
        options: LoadOptions,
        shared: Shared,
      ): Promise<Answer> {
        calls.push(`answer ${key}`);
        return super.answer(key, loader, options, shared);
      }

      protected override async load(
        method: string,
        key: string,
        loader: Loader<unknown>,
        options: LoadOptions,
        signal: () => AbortSignal | undefined,
      ): Promise<Loaded> {
        const loaded = await super.load(method, key, loader, options, signal);
        calls.push(`load ${String(loaded.value)}`);
        return loaded;
      }

      protected override wrap(encoded: Encoded, ttlMs: number | null): Stored {
        calls.push(`wrap ${ttlMs}`);
        return super.wrap(encoded, ttlMs);
      }

      protected override put(key: string, write: Stored): Promise<void> {
        calls.push(`put ${key}`);
        return super.put(key, write);
      }

      async ping(): Promise<Reply> {
        return this.one(["PING"]);
      }
    }
    const cache = createCache({ location: "memory:", client: (context) => new Recording(context) });
    expect(await cache.getOrSet("a", () => 1, { ttl: "1s" })).toBe(1);
    expect(calls).toEqual(["answer :1:a", "load 1", "wrap 1000", "put :1:a"]);
  });

  it("may extend the herd client, and give it a lifetime of its own for each key", async () => {
    class ShortLived extends HerdClient {
      override getOrSet(key: string, loader: Loader<unknown>, options: LoadOptions): Promise<unknown> {
        return super.getOrSet(key, loader, key.includes("short") ? { ...options, ttlMs: 1_000 } : options);
      }

      protected override get graceMs(): number {
        return 0;
      }
    }
    const cache = createCache({ location: "memory:", client: (context) => new ShortLived(context) });
    expect(await cache.getOrSet("short", () => 1, { ttl: "1h" })).toBe(1);
    expect(await cache.getOrSet("long", () => 2, { ttl: "1h" })).toBe(2);
    expect(await cache.ttl("short")).toBeLessThanOrEqual(1);
    expect(await cache.ttl("long")).toBeGreaterThan(3_000);
  });

  it("may stand in front of another one, and is called with stored keys, milliseconds and values", async () => {
    const calls: unknown[][] = [];
    const recording = (context: ClientContext): Client => {
      const inner = defaultClient()(context);
      return new Proxy(inner, {
        get(target, name) {
          const method: unknown = Reflect.get(target, name);
          if (typeof method !== "function") return method;
          return (...args: unknown[]) => {
            calls.push([String(name), ...args]);
            return method.apply(target, args);
          };
        },
      });
    };
    const cache = createCache({ location: "memory:", client: recording, keyPrefix: "p", ttl: "1m" });
    await cache.set("a", { n: 1 });
    await cache.add("b", 1, { ttl: null });
    await cache.touch("a", "2s");
    await cache.getMany(["a"]);
    await cache.incr("b", 2);
    expect(calls).toEqual([
      ["set", "p:1:a", { n: 1 }, { ttlMs: 60_000, condition: undefined }],
      ["set", "p:1:b", 1, { ttlMs: null, condition: "nx" }],
      ["touch", "p:1:a", 2_000],
      ["getMany", ["p:1:a"], undefined],
      ["incr", "p:1:b", 2n, undefined],
    ]);
  });

  it("is closed with its cache, before the connection is", async () => {
    const order: string[] = [];
    class Slow extends DefaultClient {
      override async close(): Promise<void> {
        await this.context.connection.send([["PING"]]);
        order.push("client");
      }
    }
    const inner = memory();
    const connectionFactory = {
      shares: inner.shares,
      connect: (...args: Parameters<typeof inner.connect>) => {
        const connection = inner.connect(...args);
        const close = vi.spyOn(connection, "close");
        close.mockImplementation(async () => void order.push("connection"));
        return connection;
      },
    };
    const cache = createCache({ location: "memory:", connectionFactory, client: (context) => new Slow(context) });
    await cache.set("a", 1);
    await cache.close();
    expect(order).toEqual(["client", "connection"]);
  });

  it("may be the default of several caches", async () => {
    const client = vi.fn(defaultClient());
    const caches = createCaches({ one: { location: "memory:" }, two: { location: "memory:" } }, { client });
    await caches.one.get("a");
    expect(client).toHaveBeenCalledTimes(1);
    await caches.two.get("a");
    expect(client).toHaveBeenCalledTimes(2);
  });
});

describe("a connection factory of the user's own", () => {
  it("is called with the location, and carries all commands", async () => {
    const inner = memory();
    const connect = vi.fn(inner.connect);
    const send = vi.fn();
    const connectionFactory = {
      shares: true,
      connect: (...args: Parameters<typeof inner.connect>) => {
        const connection = connect(...args);
        vi.spyOn(connection, "send").mockImplementation(send.mockResolvedValue([new TextEncoder().encode("5")]));
        return connection;
      },
    };
    const cache = createCache({ location: "memory:somewhere", connectionFactory });
    expect(await cache.get("a")).toBe(5);
    expect(connect).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ scheme: "memory", path: "somewhere" }),
      expect.objectContaining({ scope: "process" }),
    );
    expect(send).toHaveBeenCalledWith([["GET", ":1:a"]], expect.objectContaining({ readOnly: true }));
  });
});
