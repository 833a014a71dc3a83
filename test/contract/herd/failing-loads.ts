import { describe, expect, it, vi } from "vitest";
import type { LoaderContext } from "../../../src/client/client.js";
import { EncodeError, LoaderTimeoutError } from "../../../src/core/errors.js";
import { type Fleets, headerOf, slowLoader } from "./fleet.js";

const broken = new Error("broken");

export function failingLoads({ fakeTime, fleet }: Fleets): void {
  describe("a loader under the herd client", () => {
    const pass = fakeTime();

    it("that throws rejects for all callers of its process, and another process takes over at once", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      const first = slowLoader<string>();
      const tries = [here.getOrSet("a", first), here.getOrSet("a", first)];
      await pass(0);
      const second = vi.fn(() => "theirs");
      const other = there.getOrSet("a", second);
      await pass(1_000);
      expect(second).not.toHaveBeenCalled();
      first.reject(broken);
      expect(await Promise.allSettled(tries)).toEqual(Array(2).fill({ status: "rejected", reason: broken }));
      // Polls come at the latest when another tenth of the time has passed.
      await pass(110);
      expect(await other).toBe("theirs");
      expect(await here.get("a")).toBe("theirs");
    });

    it("that throws leaves nothing behind", async () => {
      const cache = fleet()();
      await expect(cache.getOrSet("a", () => Promise.reject(broken))).rejects.toBe(broken);
      expect(await headerOf(cache, "a")).toBeUndefined();
      expect(await cache.getOrSet("a", () => 2)).toBe(2);
    });

    it("that throws beside a stale value leaves that, calls onError, and is not retried by any process for a while", async () => {
      const onError = vi.fn();
      const open = fleet({ retryAfter: 5 });
      const [here, there] = [open({ onError }), open()];
      await here.set("a", "old", { ttl: 1 });
      await pass(1_500);
      const loader = vi.fn(() => Promise.reject(broken));
      for (const cache of [here, there, here]) {
        expect(await cache.getOrSet("a", loader)).toBe("old");
        await pass(100);
      }
      expect(loader).toHaveBeenCalledTimes(1);
      expect(onError).toHaveBeenCalledExactlyOnceWith(broken, { method: "getOrSet", key: String(here.makeKey("a")) });
      await pass(5_000);
      expect(await there.getOrSet("a", () => "new")).toBe("old");
      await pass(0);
      expect(await here.getOrSet("a", loader)).toBe("new");
    });

    it.each<[string, (context: LoaderContext) => unknown]>([
      ["throws", () => Promise.reject(broken)],
      ["does not store what it returns", ({ doNotStore }) => doNotStore()],
    ])("that %s in place of a value that was purged is followed by the next caller's at once", async (_, loader) => {
      const open = fleet({ retryAfter: 60, waitTimeout: 60 });
      const [here, there] = [open(), open()];
      const tags = ["t"];
      await here.set("a", "purged", { tags });
      await here.purgeTags(tags);
      const [first] = await Promise.allSettled([here.getOrSet("a", loader, { tags })]);
      expect(first).not.toMatchObject({ value: "purged" });
      await Promise.allSettled([
        there.getOrSetMany(
          ["a"],
          async ([, ...none], context) => {
            await loader(context);
            return new Map(none.map((key) => [key, 1]));
          },
          { tags },
        ),
      ]);
      expect(await there.getOrSet("a", () => "new", { tags })).toBe("new");
      expect(await here.get("a")).toBe("new");
    });

    it("that throws does not prolong the life of a stale value", async () => {
      const cache = fleet({ grace: 10, retryAfter: 1, lease: 30 })();
      await cache.set("a", "old", { ttl: 1 });
      await pass(9_000);
      await cache.getOrSet("a", () => Promise.reject(broken));
      await pass(2_100);
      expect(await headerOf(cache, "a")).toBeUndefined();
    });

    it("that never ends is aborted by its signal and replaced; its lease is renewed until then", async () => {
      const open = fleet({ lease: 1, waitTimeout: 60, hardTimeout: 7 });
      const [here, there] = [open(), open()];
      const endless = slowLoader<string>();
      const given = here.getOrSet("a", endless).catch((error: unknown) => error);
      await pass(10);
      const next = vi.fn(() => "theirs");
      const other = there.getOrSet("a", next);
      await pass(6_900);
      expect(endless.signals[0]?.aborted).toBe(false);
      expect(next).not.toHaveBeenCalled();
      await pass(100);
      expect(await given).toBeInstanceOf(LoaderTimeoutError);
      expect(endless.signals[0]?.aborted).toBe(true);
      await pass(700);
      expect(await other).toBe("theirs");
      endless.resolve("late");
      await pass(1_000);
      expect(await here.get("a")).toBe("theirs");
    });

    it("that never ends beside a stale value keeps no caller waiting, and is replaced in the end", async () => {
      const onError = vi.fn();
      const cache = fleet({ hardTimeout: 7, retryAfter: 1 })({ onError });
      await cache.set("a", "old", { ttl: 1 });
      await pass(2_000);
      expect(await cache.getOrSet("a", slowLoader())).toBe("old");
      await pass(7_000);
      expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(LoaderTimeoutError), expect.anything());
      await pass(1_100);
      expect(await cache.getOrSet("a", () => "new")).toBe("old");
      await pass(0);
      expect(await cache.get("a")).toBe("new");
    });

    it("may take longer than any lease when the call says so", async () => {
      const cache = fleet({ lease: 1, hardTimeout: 2 })();
      const loader = slowLoader<string>();
      const given = cache.getOrSet("a", loader, { hardTimeout: null });
      await pass(100_000);
      loader.resolve("at last");
      expect(await given).toBe("at last");
      expect(await cache.get("a")).toBe("at last");
    });

    it("that gives undefined stores nothing, and lets others take over at once", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      const nothing = slowLoader<undefined>();
      const given = here.getOrSet("a", nothing);
      await pass(0);
      const other = there.getOrSet("a", () => "theirs");
      await pass(1_000);
      nothing.resolve(undefined);
      expect(await given).toBeUndefined();
      await pass(110);
      expect(await other).toBe("theirs");
    });

    it("that gives undefined ends a stale value: there is none any more", async () => {
      const cache = fleet()();
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
      expect(await cache.getOrSet("a", () => undefined)).toBe("old");
      await pass(0);
      expect(await headerOf(cache, "a")).toBeUndefined();
      expect(await cache.getOrSet("a", () => undefined)).toBeUndefined();
    });

    it("that gives null stores that", async () => {
      const open = fleet();
      const loader = vi.fn(() => null);
      expect(await open().getOrSet("a", loader)).toBeNull();
      expect(await open().getOrSet("a", loader)).toBeNull();
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("that gives what can't be stored fails, and lets others take over at once", async () => {
      const open = fleet();
      await expect(open().getOrSet("a", () => () => 1)).rejects.toThrow(EncodeError);
      expect(await open().getOrSet("a", () => 2)).toBe(2);
    });

    it("that returns what can't be stored, beside a stale value, leaves that and calls onError", async () => {
      const onError = vi.fn();
      const cache = fleet()({ onError });
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
      expect(await cache.getOrSet<unknown>("a", () => () => 1)).toBe("old");
      await pass(0);
      expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(EncodeError), expect.anything());
      expect(await cache.getOrSet("a", () => 2)).toBe("old");
    });

    it("that does not want its value stored answers with it, and lets others take over at once", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      const loading = slowLoader<string>();
      const given = here.getOrSet("a", (context) => {
        context.doNotStore();
        return loading(context);
      });
      await pass(0);
      const other = there.getOrSet("a", () => "theirs");
      await pass(1_000);
      loading.resolve("mine");
      expect(await given).toBe("mine");
      await pass(110);
      expect(await other).toBe("theirs");
    });

    it("that does not want its value stored, beside a stale one, leaves that, and is not called for each caller", async () => {
      const open = fleet({ retryAfter: 5 });
      const cache = open();
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
      const loader = vi.fn((context: { doNotStore(): void }) => {
        context.doNotStore();
        return "new";
      });
      for (let i = 0; i < 5; i++) {
        expect(await open().getOrSet("a", loader)).toBe("old");
        await pass(500);
      }
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("chooses the lifetime, of which the grace is no part", async () => {
      const cache = fleet({ grace: 60 })();
      await cache.getOrSet("a", (context) => {
        context.ttl("10s");
        return 1;
      });
      expect(await cache.ttl("a")).toBe(10);
      await pass(10_000);
      expect(await cache.ttl("a")).toBeUndefined();
      expect(await headerOf(cache, "a")).toBeDefined();
      await pass(60_100);
      expect(await headerOf(cache, "a")).toBeUndefined();
    });

    it("is called without a lease, once for each process, by callers that have waited too long; their values are not stored", async () => {
      const open = fleet({ waitTimeout: 2 });
      const [here, there] = [open(), open()];
      const slow = slowLoader<string>();
      const given = here.getOrSet("a", slow);
      await pass(10);
      const impatient = vi.fn(() => "theirs");
      const others = [there.getOrSet("a", impatient), there.getOrSet("a", impatient)];
      await pass(1_900);
      expect(impatient).not.toHaveBeenCalled();
      await pass(110);
      expect(await Promise.all(others)).toEqual(["theirs", "theirs"]);
      expect(impatient).toHaveBeenCalledTimes(1);
      expect(await there.has("a")).toBe(false);
      slow.resolve("mine");
      expect(await given).toBe("mine");
      expect(await there.get("a")).toBe("mine");
    });

    it("that takes long stores how long, for early refreshes", async () => {
      const cache = fleet()();
      const loader = slowLoader<string>();
      const given = cache.getOrSet("a", loader);
      await pass(321);
      loader.resolve("value");
      await given;
      expect((await headerOf(cache, "a"))?.deltaMs).toBe(321);
    });
  });

  it("a loader may be given longer than any timer can be set to", async () => {
    const cache = fleet({ hardTimeout: "60d", lease: "400d", waitTimeout: "60d" })();
    const loader = () => new Promise((resolve) => setTimeout(resolve, 20, "value"));
    expect(await cache.getOrSet("a", loader)).toBe("value");
  });
}
