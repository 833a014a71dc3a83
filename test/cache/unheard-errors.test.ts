import { describe, expect, it, vi } from "vitest";
import type { Connection, ConnectionFactory, Reply } from "../../src/core/connection.js";
import { type Cache, createCache, defaultClient, herd, memory, ReplyError } from "../../src/index.js";
import { until } from "../support/wait.js";
import { watched } from "../support/watched.js";

const full = (): ReplyError => new ReplyError("OOM", "command not allowed when used memory > 'maxmemory'");

/** A store that answers reads, and refuses to write. */
const fullStore: ConnectionFactory = {
  shares: true,
  connect(...given): Connection {
    const inner = memory().connect(...given);
    const { send } = { send: inner.send.bind(inner) };
    inner.send = async (commands, options) => {
      const replies: Reply[] = [];
      for (const command of commands) {
        const writes = command[0] === "SET" || command[0] === "SADD" || command[0] === "HSET";
        replies.push(writes ? full() : ((await send([command], options))[0] ?? null));
      }
      return replies;
    };
    inner.script = () => Promise.reject(full());
    return inner;
  },
};

const calls: Record<
  string,
  { readonly call: (cache: Cache) => Promise<unknown>; readonly result: unknown; readonly keys: string[] }
> = {
  getOrSet: { call: (cache) => cache.getOrSet("a", () => 1), result: 1, keys: [":1:a"] },
  getOrSetMany: {
    call: async (cache) => Object.fromEntries(await cache.getOrSetMany(["a", "b"], () => ({ a: 1, b: 2 }))),
    result: { a: 1, b: 2 },
    keys: [":1:a", ":1:b"],
  },
  setMany: { call: (cache) => cache.setMany({ a: 1, b: 2 }), result: ["a", "b"], keys: [":1:a", ":1:b"] },
};

describe.each([
  ["the default client", defaultClient()],
  ["herd()", herd()],
])("a store error that doesn't throw, under %s", (name, client) => {
  it.each(Object.entries(calls))(
    "reaches onError with the method and the key: %s",
    async (method, { call, result, keys }) => {
      const onError = vi.fn();
      await using cache = createCache({ location: "memory:", connectionFactory: fullStore, client, onError });
      expect(await call(cache)).toEqual(result);
      // A refused claim is no error: the herd client then reads, and loads without storing.
      if (name === "herd()" && method !== "setMany") return;
      const told = onError.mock.calls.map(([error, context]) => [error instanceof ReplyError, context]);
      expect(told).toEqual(keys.map((key) => [true, { method, key }]));
    },
  );

  it.each([
    ["stored", 2],
    ["deleted", undefined],
  ])("reaches onError with the key, where what getOrSet loads in the background can't be %s", async (_, value) => {
    const { factory, fail } = watched(memory());
    const onError = vi.fn();
    await using cache = createCache({ location: "memory:", connectionFactory: factory, client, onError });
    await cache.set("a", 1);
    await cache.expireSoft("a");
    const load = () => {
      fail(full());
      return value;
    };
    expect(await cache.getOrSet<number | undefined>("a", load)).toBe(1);
    await until(() => onError.mock.calls.length > 0, { what: "the error" });
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(ReplyError), { method: "getOrSet", key: ":1:a" });
  });
});
