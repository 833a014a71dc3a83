import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { LoaderContext } from "../../../src/client/client.js";
import { ConfigurationError, EncodeError, LoaderTimeoutError } from "../../../src/core/errors.js";
import { json } from "../../../src/serializers/json.js";
import { until } from "../../support/wait.js";
import type { Thrown } from "../thrown.js";
import { failingScripts } from "./failing-scripts.js";
import { type Fleets, type OpenProcess, slowLoader } from "./fleet.js";

type Load = (context: LoaderContext) => unknown;

/** Either method, for the one key "a". */
interface Method {
  readonly method: string;
  ask(cache: Cache, load: Load): Promise<unknown>;
  /** What `onError` gets as the key of a load that failed: a load of several keys has none. */
  loadKey(cache: Cache): string;
}

const key = (cache: Cache): string => String(cache.makeKey("a"));

const METHODS: readonly Method[] = [
  { method: "getOrSet", ask: (cache, load) => cache.getOrSet("a", load), loadKey: key },
  {
    method: "getOrSetMany",
    async ask(cache, load) {
      const values = await cache.getOrSetMany(["a"], async (_keys, context) => ({ a: await load(context) }));
      return values.get("a");
    },
    loadKey: () => "",
  },
];

const reject = (thrown: unknown): (() => Promise<never>) => {
  return () => Promise.reject(thrown);
};
const raise = (thrown: unknown): (() => never) => {
  return () => {
    throw thrown;
  };
};

// biome-ignore lint/suspicious/noThenProperty: a loader may give one
const thenable = (then: PropertyDescriptor): object => Object.defineProperty({}, "then", then);

/** Loads that fail without the store, and what `onError` gets. */
const failing = (thrown: Thrown): (readonly [name: string, load: Load, isReported: (error: unknown) => boolean])[] => [
  ...thrown.map(([name, one]) => [`throws ${name}`, raise(one), (error: unknown) => error === one] as const),
  ...thrown.map(([name, one]) => [`rejects with ${name}`, reject(one), (error: unknown) => error === one] as const),
  ["gives a thenable that throws", () => thenable({ value: raise("thrown") }), (error) => error === "thrown"],
  ["gives a thenable that can't be read", () => thenable({ get: raise("read") }), (error) => error === "read"],
  [
    "gives a thenable that rejects",
    () => thenable({ value: (_: unknown, no: (error: unknown) => void) => no("late") }),
    (error) => error === "late",
  ],
  [
    "gives a lifetime that is none",
    ({ ttl }) => Reflect.apply(ttl, undefined, ["nonsense"]),
    (error) => error instanceof TypeError,
  ],
];

/** Loads whose value can't be stored. */
const unstorable = (thrown: Thrown): (readonly [name: string, load: Load])[] => [
  ["is a function", () => () => 1],
  ...thrown.map(([name, one]) => [`throws ${name} when it is serialized`, () => ({ toJSON: raise(one) })] as const),
];

/** Steps of a refresh that the store carries out, and the load during which they come. */
const STEPS: readonly (readonly [script: string, load: Load])[] = [
  ["claim", () => "unused"],
  ["publish", () => "unused"],
  ["drop", () => undefined],
];

export function backgroundFailures({ fakeTime, fleet, throwable }: Fleets): void {
  describe.each(METHODS)("a refresh in the background by $method", ({ method, ask, loadKey }) => {
    const unhandled = vi.fn();
    beforeEach(() => {
      process.on("unhandledRejection", unhandled);
    });
    afterEach(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      process.off("unhandledRejection", unhandled);
      expect(unhandled).not.toHaveBeenCalled();
    });
    const pass = fakeTime();

    const stale = async (cache: Cache): Promise<void> => {
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
    };

    /** The next caller, of this process or another, loads again; and the cache can be closed. */
    async function expectFree(here: Cache, open: OpenProcess): Promise<void> {
      for (const cache of [here, open()]) {
        const next = vi.fn(raise("again"));
        expect(await ask(cache, next)).toBe("old");
        await pass(0);
        expect(next).toHaveBeenCalledTimes(1);
      }
      expect(await ask(here, () => "new")).toBe("old");
      await pass(0);
      expect(await here.get("a")).toBe("new");
      await here.close();
    }

    it.each(failing(throwable))("whose loader %s is reported, and frees the key", async (_, load, isReported) => {
      const onError = vi.fn();
      const open = fleet({ retryAfter: 0 });
      const cache = open({ onError });
      await stale(cache);
      expect(await ask(cache, load)).toBe("old");
      await pass(0);
      expect(onError).toHaveBeenCalledTimes(1);
      const [error, context] = onError.mock.calls[0] ?? [];
      expect(isReported(error)).toBe(true);
      expect(context).toEqual({ method, key: loadKey(cache) });
      await expectFree(cache, open);
    });

    it.each(throwable)(
      "that its caller waits for answers with the old value when its loader throws %s",
      async (_, thrown) => {
        const onError = vi.fn();
        const open = fleet({ retryAfter: 0, background: false });
        const cache = open({ onError });
        await stale(cache);
        expect(await ask(cache, raise(thrown))).toBe("old");
        expect(onError).toHaveBeenCalledTimes(1);
        expect(onError.mock.calls[0]?.[0] === thrown).toBe(true);
        await pass(0);
        expect(await ask(cache, () => "new")).toBe("new");
        await cache.close();
      },
    );

    it.each(unstorable(throwable))("whose value %s is reported, and frees the key", async (_, load) => {
      const onError = vi.fn();
      const open = fleet({ retryAfter: 0 });
      const cache = open({ onError });
      await stale(cache);
      expect(await ask(cache, load)).toBe("old");
      await pass(0);
      expect(onError).toHaveBeenCalledTimes(1);
      const [error, context] = onError.mock.calls[0] ?? [];
      expect(error).toBeInstanceOf(EncodeError);
      expect(context).toEqual({ method, key: key(cache) });
      await expectFree(cache, open);
    });

    it.each(throwable)("whose serializer throws %s is reported, and frees the key", async (_, thrown) => {
      const onError = vi.fn();
      const open = fleet({ retryAfter: 0 });
      const serialize = vi.fn(json().serialize);
      const cache = open({ onError, serializer: { ...json(), serialize } });
      await stale(cache);
      serialize.mockImplementation(raise(thrown));
      expect(await ask(cache, () => "unused")).toBe("old");
      await pass(0);
      serialize.mockImplementation(json().serialize);
      expect(onError).toHaveBeenCalledTimes(1);
      const [error, context] = onError.mock.calls[0] ?? [];
      if (error instanceof EncodeError) expect(error.cause === thrown).toBe(true);
      else expect(error).toBeInstanceOf(ConfigurationError);
      expect(context).toEqual({ method, key: key(cache) });
      await expectFree(cache, open);
    });

    it.each(throwable)(
      "whose serializer throws %s for the loader's copy is reported, and frees the key",
      async (_, thrown) => {
        const onError = vi.fn();
        const open = fleet({ retryAfter: 0 });
        const deserialize = vi.fn(json().deserialize);
        const cache = open({ onError, serializer: { ...json(), deserialize } });
        await stale(cache);
        deserialize.mockImplementationOnce(() => "old").mockImplementation(raise(thrown));
        expect(await ask(cache, raise("broken"))).toBe("old");
        await pass(0);
        deserialize.mockImplementation(json().deserialize);
        expect(onError).toHaveBeenCalledTimes(1);
        await expectFree(cache, open);
      },
    );

    it("whose loader lists the keys of a cache without a reverseKeyFunction is reported, and frees the key", async () => {
      const onError = vi.fn();
      const open = fleet({ retryAfter: 0 });
      const cache = open({ onError });
      const other = open({ keyFunction: (name, prefix, version) => `${prefix}:${version}:${name}` });
      await other.set("b", 1);
      await stale(cache);
      expect(await ask(cache, () => other.keys())).toBe("old");
      await until(() => onError.mock.calls.length > 0, { what: "the failure to be reported" });
      await pass(0);
      expect(onError).toHaveBeenCalledExactlyOnceWith(
        expect.objectContaining({ name: "ConfigurationError", message: expect.stringContaining("reverseKeyFunction") }),
        { method, key: loadKey(cache) },
      );
      await expectFree(cache, open);
    });

    it("whose loader never ends is reported at the hard timeout, and frees the key", async () => {
      const onError = vi.fn();
      const open = fleet({ retryAfter: 0, hardTimeout: 7 });
      const cache = open({ onError });
      await stale(cache);
      expect(await ask(cache, slowLoader())).toBe("old");
      await pass(7_000);
      expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(LoaderTimeoutError), { method, key: loadKey(cache) });
      await expectFree(cache, open);
    });

    it("whose loader deletes the key is not stored, and frees the key", async () => {
      const onError = vi.fn();
      const cache = fleet({ retryAfter: 0 })({ onError });
      await stale(cache);
      const load = async () => {
        await cache.delete("a");
        return "older than the delete";
      };
      expect(await ask(cache, load)).toBe("old");
      await pass(0);
      expect(onError).not.toHaveBeenCalled();
      expect(await ask(cache, () => "new")).toBe("new");
      await cache.close();
    });

    it.each(throwable)(
      "before the expiry, whose loader throws %s, is reported, and frees the key",
      async (_, thrown) => {
        const onError = vi.fn();
        const open = fleet({ retryAfter: 0 });
        const cache = open({ onError });
        const slow = slowLoader<string>();
        const given = cache.getOrSet("a", slow, { ttl: 10 });
        await pass(1_000);
        slow.resolve("old");
        await given;
        await pass(9_000);
        vi.spyOn(Math, "random").mockReturnValue(0);
        expect(await ask(cache, raise(thrown))).toBe("old");
        await pass(0);
        expect(onError).toHaveBeenCalledTimes(1);
        expect(onError.mock.calls[0]?.[0]).toBe(thrown);
        await expectFree(cache, open);
      },
    );

    describe.each(STEPS)("that asks the store to %s", (script, load) => {
      const rows = throwable.map(([name, thrown]) => [name, thrown, false] as const);
      it.each([...rows, ["an error that is thrown at once", new TypeError("at once"), true] as const])(
        "and gets %s is reported, and frees the key",
        async (_, thrown, atOnce) => {
          const onError = vi.fn();
          const { watch, fail, heal } = failingScripts();
          const open = fleet({ retryAfter: 0 }, watch);
          const cache = open({ onError });
          await stale(cache);
          fail(script, thrown, atOnce);
          expect(await ask(cache, load)).toBe("old");
          await pass(0);
          heal();
          expect(onError).toHaveBeenCalledTimes(1);
          const [error, context] = onError.mock.calls[0] ?? [];
          expect(error === thrown).toBe(true);
          expect(context).toEqual({ method, key: key(cache) });
          await expectFree(cache, open);
        },
      );
    });

    it.each(throwable)(
      "that can't give up its lease because of %s is reported, and the lease ends",
      async (_, thrown) => {
        const onError = vi.fn();
        const { watch, fail, heal } = failingScripts();
        const open = fleet({ retryAfter: 0, lease: 3 }, watch);
        const cache = open({ onError });
        await stale(cache);
        fail("yield", thrown, true);
        expect(await ask(cache, raise("broken"))).toBe("old");
        await pass(0);
        heal();
        expect(onError).toHaveBeenCalledTimes(2);
        expect(onError.mock.calls[0]?.[0] === thrown).toBe(true);
        expect(onError.mock.calls[0]?.[1]).toEqual({ method, key: key(cache) });
        expect(onError.mock.calls[1]).toEqual(["broken", { method, key: loadKey(cache) }]);
        await pass(3_000);
        await expectFree(cache, open);
      },
    );

    it.each(throwable)("that can't renew its lease because of %s is reported, and goes on", async (_, thrown) => {
      const onError = vi.fn();
      const { watch, fail } = failingScripts();
      const cache = fleet({ lease: 3 }, watch)({ onError });
      await stale(cache);
      fail("renew", thrown, true);
      const slow = slowLoader<string>();
      expect(await ask(cache, slow)).toBe("old");
      await pass(2_400);
      expect(onError).toHaveBeenCalledTimes(2);
      for (const [error, context] of onError.mock.calls) {
        expect(error === thrown).toBe(true);
        expect(context).toEqual({ method, key: key(cache) });
      }
      slow.resolve("new");
      await pass(0);
      expect(await cache.get("a")).toBe("new");
      await cache.close();
    });

    it.each(throwable)(
      "that ends with %s after close() was called is reported, and close() resolves",
      async (_, thrown) => {
        const onError = vi.fn();
        const cache = fleet()({ onError });
        await stale(cache);
        const slow = slowLoader();
        expect(await ask(cache, slow)).toBe("old");
        await pass(0);
        const closing = cache.close();
        slow.reject(thrown);
        await pass(0);
        await closing;
        expect(onError).toHaveBeenCalledTimes(1);
        expect(onError.mock.calls[0]?.[0] === thrown).toBe(true);
      },
    );

    it.each(throwable)("goes on when onError, listeners and waitUntil all fail with %s", async (_, thrown) => {
      for (const hook of [raise(thrown), reject(thrown)]) {
        const onError = vi.fn<(error: unknown, context: { method: string }) => void>(hook);
        const cache = fleet({ retryAfter: 0 })({ onError }).for({ waitUntil: hook });
        onTestFinished(() => cache.connection.close());
        await stale(cache);
        const ends = (["stale", "claim", "load"] as const).map((name) => cache.on(name, hook));
        expect(await ask(cache, raise("broken"))).toBe("old");
        await pass(0);
        for (const end of ends) end();
        const methods = onError.mock.calls.map(([, context]) => context.method);
        expect(methods.toSorted()).toEqual([method, "on", "on", "on", "waitUntil"].toSorted());
        expect(await ask(cache, () => "new")).toBe("old");
        await pass(0);
        expect(await cache.get("a")).toBe("new");
        await cache.close();
      }
    });
  });
}
