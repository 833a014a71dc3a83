import { describe, expect, it, vi } from "vitest";
import { KeyNotFoundError, NotAnIntegerError } from "../../../src/core/errors.js";
import type { CacheTraits, Open } from "../cache.js";
import { plant } from "./stored.js";

export function refusals(open: Open, traits: CacheTraits): void {
  describe("under ignoreErrors", () => {
    it("what can't be decoded is a miss, and onError is called with the method and the key", async () => {
      const onError = vi.fn();
      const cache = open({ ignoreErrors: true, onError });
      await plant(cache, "a", "not JSON");
      expect(await cache.get("a")).toBeUndefined();
      expect(await cache.get("a", { default: 1 })).toBe(1);
      const failure = { method: "get", key: String(cache.makeKey("a")) };
      expect(onError).toHaveBeenCalledTimes(2);
      expect(onError).toHaveBeenLastCalledWith(expect.objectContaining({ name: "DecodeError" }), failure);
    });

    it("what can be decoded is not lost with what can't", async () => {
      const onError = vi.fn();
      const cache = open({ ignoreErrors: true, onError });
      await cache.setMany({ "{t}b": 2, "{t}c": 3 });
      await plant(cache, "{t}a", "not JSON");
      const rest = new Map([
        ["{t}b", 2],
        ["{t}c", 3],
      ]);
      expect(await cache.getMany(["{t}a", "{t}b", "{t}c"])).toEqual(rest);
      expect(await cache.mget(["{t}a", "{t}b", "{t}c"])).toEqual(rest);
      expect(onError).toHaveBeenCalledWith(expect.objectContaining({ name: "DecodeError" }), {
        method: "getMany",
        key: String(cache.makeKey("{t}a")),
      });
    });

    it("what the server refuses is a miss", async () => {
      const onError = vi.fn();
      const cache = open({ ignoreErrors: true, onError });
      await cache.sets.add("s", [1]);
      expect(await cache.get("s")).toBeUndefined();
      expect(onError).toHaveBeenCalledWith(expect.objectContaining({ name: "ReplyError", code: "WRONGTYPE" }), {
        method: "get",
        key: String(cache.makeKey("s")),
      });
    });

    it("what is wrong with the caller's arguments or the entry is an error all the same", async () => {
      const onError = vi.fn();
      const cache = open({ ignoreErrors: true, onError });
      await cache.set("text", "text");
      await expect(cache.get("")).rejects.toThrow(TypeError);
      await expect(cache.set("a", () => 1)).rejects.toThrow("can't be stored");
      await expect(cache.incr("missing")).rejects.toThrow(KeyNotFoundError);
      await expect(cache.incr("text")).rejects.toThrow(NotAnIntegerError);
      await expect(cache.incrVersion("{t}missing")).rejects.toThrow(KeyNotFoundError);
      expect(onError).not.toHaveBeenCalled();
    });

    it("keys of several slots are an error all the same, as no cluster ever serves them", async ({ skip }) => {
      skip(!traits.cluster, "only a cluster has slots");
      const onError = vi.fn();
      const cache = open({ ignoreErrors: true, onError });
      await expect(cache.sets.union(["one", "two", "three"])).rejects.toThrow(/hash tag/);
      await expect(cache.mget(["one", "two", "three"])).rejects.toThrow(/hash tag/);
      expect(onError).not.toHaveBeenCalled();
    });

    it("an onError that throws changes no answer", async () => {
      const cache = open({
        ignoreErrors: true,
        onError: () => {
          throw new Error("broken listener");
        },
      });
      await plant(cache, "a", "not JSON");
      expect(await cache.get("a")).toBeUndefined();
    });
  });
}
