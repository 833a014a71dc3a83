import { describe, expect, it, vi } from "vitest";
import {
  type Client,
  type ClientContext,
  createCache,
  createCaches,
  DefaultClient,
  defaultClient,
  memory,
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

  it("may stand in front of another one, and is given made keys, milliseconds and values", async () => {
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
      ["getMany", ["p:1:a"]],
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
  it("is told the location, and carries all commands", async () => {
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
