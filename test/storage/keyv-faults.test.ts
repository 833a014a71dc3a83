import { createCache as createManager } from "cache-manager";
import { Keyv as Keyv5 } from "keyv";
import { Keyv as Keyv6 } from "keyv-6";
import { type CacheOptions, iovalkey } from "valkey-edge-cache";
import { keyvStore } from "valkey-edge-cache/keyv";
import { describe, expect, it } from "vitest";
import { startValkey } from "../support/servers.js";
import { stopwatch } from "../support/stopwatch.js";

const TIMEOUT_MS = 300;
/** What two round trips may take on a machine with a high load; a call that hangs takes longer than any of it. */
const BOUND_MS = 4 * TIMEOUT_MS + 1_000;

const transports: [string, () => Pick<CacheOptions, "connectionFactory" | "commandTimeout" | "connectTimeout">][] = [
  ["the default transport", () => ({ commandTimeout: "300ms", connectTimeout: "300ms" })],
  ["iovalkey()", () => ({ connectionFactory: iovalkey({ commandTimeout: "300ms", connectTimeout: "300ms" }) })],
];

/** Calls each method. Returns what each has answered, or thrown. */
async function outcomes(calls: Readonly<Record<string, () => Promise<unknown>>>): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [name, call] of Object.entries(calls)) {
    const took = stopwatch();
    found[name] = await call().catch((error: unknown) => error);
    expect(took(), name).toBeLessThan(BOUND_MS);
  }
  return found;
}

/** What both versions of Keyv have. */
type AnyKeyv = Record<"get" | "has" | "delete", (key: string) => Promise<unknown>> &
  Record<"getMany" | "hasMany" | "deleteMany", (keys: string[]) => Promise<unknown>> & {
    set(key: string, value: unknown): Promise<unknown>;
    setMany(entries: { key: string; value: unknown }[]): Promise<unknown>;
    clear(): Promise<unknown>;
  };

const callsOf = (keyv: AnyKeyv) => ({
  get: () => keyv.get("a"),
  getMany: () => keyv.getMany(["a", "b"]),
  has: () => keyv.has("a"),
  hasMany: () => keyv.hasMany(["a", "b"]),
  set: () => keyv.set("a", 1),
  setMany: () => keyv.setMany([{ key: "a", value: 1 }]),
  delete: () => keyv.delete("a"),
  deleteMany: () => keyv.deleteMany(["a", "b"]),
  clear: () => keyv.clear(),
});

/** What a Keyv answers whose store fails, without throwOnErrors. */
const MISSES = {
  get: undefined,
  getMany: [undefined, undefined],
  has: false,
  hasMany: [false, false],
  set: false,
  setMany: [false],
  delete: false,
  deleteMany: false,
  clear: undefined,
};

describe.each(transports)("over %s", (_, transport) => {
  describe.each(["killed", "frozen"] as const)("a server that is %s", (how) => {
    const broken = async () => {
      const server = await startValkey();
      const fail = () => server.kill(how === "killed" ? "SIGKILL" : "SIGSTOP");
      return { server, fail, options: { location: server.url, ...transport() } };
    };

    it("has every call of Keyv 5 answer a miss in time, and emits each error once", async () => {
      const { server, fail, options } = await broken();
      await using _server = server;
      const keyv = new Keyv5({ store: keyvStore(options) });
      const errors: unknown[] = [];
      keyv.on("error", (error) => errors.push(error));
      expect(await keyv.set("a", 1)).toBe(true);
      await fail();
      expect(await outcomes(callsOf(keyv))).toEqual(MISSES);
      expect(errors).toHaveLength(Object.keys(MISSES).length);
      expect(errors.every((error) => error instanceof Error)).toBe(true);
      await keyv.disconnect();
    });

    it("has every call of Keyv 5 with throwOnErrors throw in time", async () => {
      const { server, fail, options } = await broken();
      await using _server = server;
      const keyv = new Keyv5({ store: keyvStore({ ...options, throwOnErrors: true }), throwOnErrors: true });
      await keyv.set("a", 1);
      await fail();
      for (const [name, outcome] of Object.entries(await outcomes(callsOf(keyv)))) {
        expect(outcome, name).toBeInstanceOf(Error);
      }
      await keyv.disconnect();
    });

    it("has every call of Keyv 6 answer a miss in time, and emits each error once", async () => {
      const { server, fail, options } = await broken();
      await using _server = server;
      const keyv = new Keyv6({ store: keyvStore(options), stats: true });
      const errors: unknown[] = [];
      keyv.on("error", (error: unknown) => errors.push(error));
      await keyv.set("a", 1);
      await fail();
      expect(await outcomes(callsOf(keyv))).toEqual({ ...MISSES, deleteMany: [false, false] });
      expect(errors).toHaveLength(Object.keys(MISSES).length);
      // It counts one for each key: what fails is no miss.
      expect(keyv.stats.errors).toBe(Object.keys(MISSES).length + 3);
      await keyv.disconnect();
    });

    it("has every call of cache-manager answer in time, with nonBlocking and without", async () => {
      const { server, fail, options } = await broken();
      await using _server = server;
      for (const nonBlocking of [false, true]) {
        const stores = [new Keyv5(), new Keyv5({ store: keyvStore(options) })];
        const cache = createManager({ stores, nonBlocking });
        if (!nonBlocking) {
          await cache.set("b", 1);
          await fail();
        }
        const found = await outcomes({
          set: () => cache.set("a", 1),
          get: () => cache.get("a"),
          mset: () => cache.mset([{ key: "a", value: 1 }]),
          mget: () => cache.mget(["a"]),
          ttl: () => cache.ttl("a"),
          wrap: () => cache.wrap("c", () => 3),
          del: () => cache.del("a"),
          mdel: () => cache.mdel(["a"]),
          clear: () => cache.clear(),
        });
        expect(found).toMatchObject({ set: 1, get: 1, mget: [1], wrap: 3, del: true, mdel: true, clear: true });
        await cache.disconnect();
      }
    });
  });
});

it("a Keyv goes on by itself once its server is back", async () => {
  await using server = await startValkey();
  const keyv = new Keyv5({ store: keyvStore({ location: server.url, commandTimeout: "300ms" }) });
  await keyv.set("a", 1);
  await server.kill("SIGKILL");
  expect(await keyv.get("a")).toBeUndefined();
  await server.restart();
  await expect.poll(() => keyv.set("a", 2), { timeout: 10_000 }).toBe(true);
  expect(await keyv.get("a")).toBe(2);
  await keyv.disconnect();
});
