import { describe, expect, it, vi } from "vitest";
import { herd } from "../../../src/client/herd/client.js";
import { raw } from "../cache/stored.js";
import { type Fleets, headerOf, slowLoader } from "./fleet.js";

export function leases({ fakeTime, fleet }: Fleets): void {
  describe("a lease", () => {
    const pass = fakeTime();

    it("is one for a whole fleet: all others wait for its holder's value", async () => {
      const open = fleet();
      const caches = Array.from({ length: 8 }, () => open());
      const loaders = caches.map(() => slowLoader<{ n: number }>());
      const tries = caches.flatMap((cache, i) =>
        Array.from({ length: 5 }, () => cache.getOrSet("a", loaders[i] ?? slowLoader())),
      );
      await pass(3_000);
      const running = loaders.filter(({ signals }) => signals.length > 0);
      expect(running).toHaveLength(1);
      running[0]?.resolve({ n: 1 });
      await pass(300);
      expect(await Promise.all(tries)).toEqual(Array(40).fill({ n: 1 }));
      expect(loaders.flatMap(({ signals }) => signals)).toHaveLength(1);
    });

    it("is taken over when its holder has said nothing for its term", async () => {
      const open = fleet({ lease: 5 });
      const [dead, alive] = [open(), open()];
      // A holder that crashed: its placeholder is all there is of it.
      const key = String(dead.makeKey("a"));
      const left = `\x11V1 ${"0".repeat(25)}AAAAAAAAAAAA${String(Date.now() + 5_000).padStart(15, "0")}`;
      await raw(dead, "SET", key, left, "PX", "5000");
      const loader = vi.fn(() => "mine");
      const given = alive.getOrSet("a", loader);
      await pass(4_990);
      expect(loader).not.toHaveBeenCalled();
      await pass(260);
      expect(await given).toBe("mine");
    });

    it("on a stale value is taken over likewise, and no caller waits", async () => {
      const open = fleet({ lease: 5 });
      const cache = open();
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
      const key = String(cache.makeKey("a"));
      await raw(cache, "SETRANGE", key, "29", `AAAAAAAAAAAA${String(Date.now() + 5_000).padStart(15, "0")}`);
      const loader = vi.fn(() => "new");
      expect(await cache.getOrSet("a", loader)).toBe("old");
      await pass(4_900);
      expect(await cache.getOrSet("a", loader)).toBe("old");
      expect(loader).not.toHaveBeenCalled();
      await pass(200);
      expect(await cache.getOrSet("a", loader)).toBe("old");
      await pass(0);
      expect(await cache.getOrSet("a", loader)).toBe("new");
    });

    it("is held for as long as its loader runs, beyond the life of what it replaces", async () => {
      const open = fleet({ lease: 1, grace: 2 });
      const cache = open();
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
      const loader = slowLoader<string>();
      expect(await cache.getOrSet("a", loader)).toBe("old");
      await pass(20_000);
      const next = vi.fn(() => "other");
      const waiting = open().getOrSet("a", next);
      loader.resolve("new");
      await pass(1_000);
      expect(await waiting).toBe("new");
      expect(next).not.toHaveBeenCalled();
    });

    it("that is lost fires the loader's signal, and what is there then decides", async () => {
      const open = fleet({ lease: 3 });
      const [here, there] = [open(), open()];
      const signals: AbortSignal[] = [];
      const loader = vi.fn(({ signal }: { signal: AbortSignal }) => {
        signals.push(signal);
        return new Promise<string>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      });
      const given = here.getOrSet("a", loader);
      await pass(100);
      await there.set("a", "newer");
      await pass(1_000);
      expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
      expect(String(signals[0]?.reason)).toContain("lost");
      expect(await given).toBe("newer");
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("that is lost to a delete has the load begin anew", async () => {
      const open = fleet({ lease: 3 });
      const [here, there] = [open(), open()];
      let source = "before";
      const loader = vi.fn(async ({ signal }: { signal: AbortSignal }) => {
        const read = source;
        await new Promise<void>((resolve) => {
          setTimeout(resolve, 1_500);
          signal.addEventListener("abort", () => resolve());
        });
        signal.throwIfAborted();
        return read;
      });
      const given = here.getOrSet("a", loader);
      await pass(100);
      source = "after";
      await there.delete("a");
      await pass(3_000);
      expect(await given).toBe("after");
      expect(await there.get("a")).toBe("after");
      expect(loader).toHaveBeenCalledTimes(2);
    });

    it("that is lost again and again ends with what the loader throws", async () => {
      const open = fleet({ lease: 0.3 });
      const [here, there] = [open(), open()];
      const loader = vi.fn(
        ({ signal }: { signal: AbortSignal }) =>
          new Promise<string>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      );
      const given = here.getOrSet("a", loader).catch((error: unknown) => error);
      for (let i = 0; i < 10; i++) {
        await there.delete("a");
        await pass(150);
      }
      expect(await given).toHaveProperty("name", "AbortError");
      expect(loader).toHaveBeenCalledTimes(4);
    });

    it("is given up when the last of its callers leaves, whose signal the loader hears", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      const [first, last] = [new AbortController(), new AbortController()];
      const loader = slowLoader<string>();
      const leaving = [
        here.getOrSet("a", loader, { signal: first.signal }),
        here.getOrSet("a", loader, { signal: last.signal }),
      ].map((one) => one.catch((error: unknown) => error));
      await pass(100);
      first.abort(new Error("first left"));
      await pass(0);
      expect(loader.signals[0]?.aborted).toBe(false);
      last.abort(new Error("last left"));
      expect((await Promise.all(leaving)).map(String)).toEqual(["Error: first left", "Error: last left"]);
      expect(loader.signals[0]?.reason).toHaveProperty("message", "last left");
      loader.reject(new Error("stopped"));
      await pass(0);
      expect(await there.getOrSet("a", () => "theirs")).toBe("theirs");
    });

    it("is not used when its callers have left before its loader began", async () => {
      const open = fleet();
      const cache = open();
      const leaving = new AbortController();
      const loader = vi.fn();
      const given = cache.getOrSet("a", loader, { signal: leaving.signal }).catch(String);
      leaving.abort(new Error("left"));
      expect(await given).toBe("Error: left");
      await pass(0);
      expect(loader).not.toHaveBeenCalled();
      expect(await headerOf(cache, "a")).toBeUndefined();
    });

    it("does not fire the signal of a load in the background when the caller leaves", async () => {
      const cache = fleet()();
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
      const leaving = new AbortController();
      const loader = slowLoader<string>();
      expect(await cache.getOrSet("a", loader, { signal: leaving.signal })).toBe("old");
      leaving.abort();
      await pass(100);
      expect(loader.signals[0]?.aborted).toBe(false);
      loader.resolve("new");
      await pass(0);
      expect(await cache.get("a")).toBe("new");
    });

    it("keeps a caller waiting no longer than its own signal", async () => {
      const open = fleet();
      void open().getOrSet("a", slowLoader());
      await pass(0);
      const leaving = new AbortController();
      const given = open()
        .getOrSet("a", () => "mine", { signal: leaving.signal })
        .catch(String);
      await pass(500);
      leaving.abort(new Error("left"));
      expect(await given).toBe("Error: left");
    });

    it("is claimed on a value past this client's grace, as by another with a longer one", async () => {
      const open = fleet({ grace: 60 });
      const brief = herd({ grace: 1, lease: 5, waitTimeout: 10 });
      const [long, short, shorter] = [open(), open({ client: brief }), open({ client: brief })];
      await long.set("a", "old", { ttl: 1 });
      await pass(3_000);
      const loader = slowLoader<string>();
      const tries = [short.getOrSet("a", loader), shorter.getOrSet("a", loader)];
      await pass(100);
      expect(loader.signals).toHaveLength(1);
      expect(loader.stales).toEqual([undefined]);
      expect(await long.getOrSet("a", loader)).toBe("old");
      loader.resolve("new");
      await pass(100);
      expect(await Promise.all(tries)).toEqual(["new", "new"]);
    });
  });
}
