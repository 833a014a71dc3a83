import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Fleets, slowLoader } from "./fleet.js";

export function background({ fakeTime, fleet }: Fleets): void {
  describe("work in the background", () => {
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

    it("is waited for by close", async () => {
      const open = fleet();
      const cache = open();
      await cache.set("a", "old", { ttl: 1 });
      await cache.set("b", "old", { ttl: 1 });
      await pass(1_500);
      const [one, many] = [slowLoader<string>(), slowLoader<Record<string, string>>()];
      await cache.getOrSet("a", one);
      await cache.getOrSetMany(["b"], (_keys, context) => many(context));
      const closed = vi.fn();
      const closing = cache.close().then(closed);
      await pass(10_000);
      one.resolve("new");
      await pass(10_000);
      expect(closed).not.toHaveBeenCalled();
      many.resolve({ b: "new" });
      await closing;
      expect(await open().getMany(["a", "b"])).toEqual(new Map(Object.entries({ a: "new", b: "new" })));
    });

    it("is handed to the invocation's waitUntil, and ends there without an error", async () => {
      const waited: Promise<unknown>[] = [];
      const onError = vi.fn();
      const cache = fleet()({ onError }).for({ waitUntil: (work) => waited.push(work) });
      await cache.set("a", "old", { ttl: 1 });
      await cache.set("b", "old", { ttl: 1 });
      await pass(1_500);
      const [one, many] = [slowLoader<string>(), slowLoader<Record<string, string>>()];
      await cache.getOrSet("a", one);
      await cache.getOrSetMany(["b"], (_keys, context) => many(context));
      await cache.getOrSet("a", one);
      expect(waited).toHaveLength(2);
      one.reject(new Error("broken"));
      many.resolve({ b: "new" });
      expect(await Promise.all(waited)).toEqual([undefined, undefined]);
      expect(onError.mock.calls.map(([error]) => String(error))).toEqual(["Error: broken"]);
      expect(await cache.get("b")).toBe("new");
    });

    it("goes on, and callers are answered, when waitUntil throws", async () => {
      const onError = vi.fn();
      const waitUntil = () => {
        throw new Error("too late");
      };
      const cache = fleet()({ onError }).for({ waitUntil });
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
      expect(await cache.getOrSet("a", () => "new")).toBe("old");
      await pass(0);
      expect(await cache.get("a")).toBe("new");
      expect(onError).toHaveBeenCalledExactlyOnceWith(
        expect.objectContaining({ message: "too late" }),
        expect.anything(),
      );
    });

    it("calls onError with its failures, and survives an onError that throws", async () => {
      const onError = vi.fn(() => {
        throw new Error("the listener's own");
      });
      const cache = fleet({ retryAfter: 0 })({ onError });
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
      expect(await cache.getOrSet("a", () => Promise.reject(new Error("broken")))).toBe("old");
      await pass(1_000);
      expect(await cache.getOrSet("a", () => "new")).toBe("old");
      await pass(0);
      expect(await cache.get("a")).toBe("new");
      expect(onError).toHaveBeenCalledTimes(1);
    });

    it("that loses the store in the middle calls onError, and leaves no rejection unhandled", async () => {
      const onError = vi.fn();
      const cache = fleet()({ onError });
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
      const loader = slowLoader<string>();
      await cache.getOrSet("a", loader);
      await pass(0);
      await cache.connection.close();
      loader.resolve("new");
      await pass(0);
      expect(onError).toHaveBeenCalledExactlyOnceWith(
        expect.objectContaining({ name: "ConnectionError" }),
        expect.anything(),
      );
    });
  });
}
