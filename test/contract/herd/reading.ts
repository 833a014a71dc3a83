import { describe, expect, it, vi } from "vitest";
import { defaultClient } from "../../../src/client/default-client.js";
import { FOREVER } from "../../../src/codec/envelope.js";
import { zlib } from "../../../src/compressors/deflate.js";
import { DecodeError, NotAnIntegerError } from "../../../src/core/errors.js";
import { msgpack } from "../../../src/serializers/msgpack.js";
import django from "../../fixtures/django/golden.json" with { type: "json" };
import { plant, raw } from "../cache/stored.js";
import { bytesOf, type Fleets, headerOf } from "./fleet.js";

const VALUES: readonly unknown[] = [1, -1.5, 2n ** 60n, "text", "", "12", true, null, [], { deep: [{ a: "é" }] }];

export function reading({ fakeTime, fleet }: Fleets): void {
  describe("what is stored, whoever stored it", () => {
    it("both clients read what the other wrote", async () => {
      const open = fleet();
      const [ours, plain] = [open(), open({ client: defaultClient() })];
      for (const [writer, reader] of [
        [ours, plain],
        [plain, ours],
      ] as const) {
        for (const [i, value] of VALUES.entries()) {
          await writer.set(`a${i}`, value);
          expect(await reader.get(`a${i}`)).toEqual(value);
          expect(await reader.getOrSet(`a${i}`, () => "loaded")).toEqual(value);
        }
        const keys = VALUES.map((_value, i) => `a${i}`);
        expect([...(await reader.getMany(keys)).values()]).toEqual(VALUES);
        expect([...(await reader.getOrSetMany(keys, () => ({}))).values()]).toEqual(VALUES);
      }
    });

    it("each client counts on with the other's integers", async () => {
      const open = fleet();
      const [ours, plain] = [open(), open({ client: defaultClient() })];
      await ours.set("a", 1);
      expect(await plain.incr("a")).toBe(2);
      expect(await ours.incr("a", 2n ** 60n)).toBe(2n ** 60n + 2n);
      await plain.set("b", 1, { ttl: 50 });
      expect(await ours.incr("b")).toBe(2);
      expect(await ours.ttl("b")).toBeLessThanOrEqual(50);
      expect(await ours.getOrSet("b", () => 0)).toBe(2);
    });

    it.each(["text", "x".repeat(500_000), [1]])("incr leaves alone what is no integer", async (value) => {
      const cache = fleet()();
      await cache.set("a", value);
      const before = await bytesOf(cache, "a");
      await expect(cache.incr("a")).rejects.toThrow(NotAnIntegerError);
      expect(await bytesOf(cache, "a")).toBe(before);
    });

    it("a plain value is fresh until it goes", async () => {
      const cache = fleet()();
      await plant(cache, "a", '{"a":1}');
      const loader = vi.fn();
      expect(await cache.getOrSet("a", loader)).toEqual({ a: 1 });
      expect(await cache.getOrSet("a", loader)).toEqual({ a: 1 });
      expect(loader).not.toHaveBeenCalled();
    });

    it("what Django stored is read beside envelopes, compressed or not", async () => {
      for (const [compressor, options] of [
        ["identity", {}],
        ["zlib", { compressor: zlib() }],
      ] as const) {
        const open = fleet();
        const [ours, plain] = [open(options), open({ ...options, client: defaultClient() })];
        const own = django.values.filter((one) => one.compressor === compressor);
        expect(own.length).toBeGreaterThan(5);
        for (const { name, stored } of own) {
          await plant(ours, name, Buffer.from(stored, "base64"));
          const value = await plain.get(name);
          expect(await ours.getOrSet(name, () => "loaded")).toEqual(value);
          await ours.set(`ours of ${name}`, value);
          expect(await plain.get(`ours of ${name}`)).toEqual(value);
        }
      }
    });

    it("an entry of a newer format is an error to read, and left alone by getOrSet, add, incr and touch", async () => {
      const onError = vi.fn();
      const cache = fleet()({ onError });
      const newer = `\x11V2W${"0".repeat(52)}5`;
      await plant(cache, "a", newer);
      await expect(cache.get("a")).rejects.toThrow(/update valkey-edge-cache/);
      await expect(cache.getMany(["a"])).rejects.toThrow(DecodeError);
      expect(await cache.getOrSet("a", () => "loaded")).toBe("loaded");
      expect(await cache.getOrSetMany(["a"], () => ({ a: "loaded" }))).toEqual(new Map([["a", "loaded"]]));
      expect(onError.mock.calls.map(([error]) => String(error))).toEqual(
        Array(2).fill(expect.stringContaining("format")),
      );
      expect(await cache.add("a", 1)).toBe(false);
      await expect(cache.incr("a")).rejects.toThrow(NotAnIntegerError);
      expect(await cache.touch("a", 100)).toBe(true);
      expect(await bytesOf(cache, "a")).toBe(newer);
      expect(await cache.keys()).toEqual(["a"]);
      expect(await cache.delete("a")).toBe(true);
    });

    it("what another serializer wrote is an error to read, and replaced by getOrSet", async () => {
      const onError = vi.fn();
      const open = fleet();
      const [ours, other] = [open({ onError }), open({ serializer: msgpack() })];
      await other.set("a", { a: 1 });
      await expect(ours.get("a")).rejects.toThrow(/another serializer/);
      expect(await ours.getOrSet("a", () => "loaded")).toBe("loaded");
      expect(onError).toHaveBeenCalledTimes(1);
      expect(await ours.get("a")).toBe("loaded");
    });

    it.each([`\x11V1W${"0".repeat(20)}`, `\x11V1W${"x".repeat(60)}`, "\x11V"])(
      "a broken header is an error to read, and replaced by getOrSet: %j",
      async (bytes) => {
        const cache = fleet()();
        for (const key of ["a", "b"]) await plant(cache, key, bytes);
        await expect(cache.get("a")).rejects.toThrow(DecodeError);
        expect(await cache.getOrSet("a", () => 1)).toBe(1);
        expect(await cache.getOrSetMany(["a", "b"], () => ({ b: 2 }))).toEqual(new Map(Object.entries({ a: 1, b: 2 })));
        expect(await cache.getMany(["a", "b"])).toEqual(new Map(Object.entries({ a: 1, b: 2 })));
      },
    );

    it("what is no value at all is left alone", async () => {
      const onError = vi.fn();
      const cache = fleet()({ onError });
      await cache.sets.add("a", [1]);
      expect(await cache.getOrSet("a", () => "loaded")).toBe("loaded");
      expect(await cache.getOrSetMany(["a"], () => ({ a: "loaded" }))).toEqual(new Map([["a", "loaded"]]));
      expect(onError).toHaveBeenCalledTimes(2);
      expect(await cache.sets.members("a")).toEqual(new Set([1]));
    });

    it("an expiry that no clock reaches means that the entry never expires", async () => {
      const cache = fleet()();
      await cache.set("a", 1);
      expect(await cache.touch("a", 1e12)).toBe(true);
      expect(await cache.get("a")).toBe(1);
      expect((await headerOf(cache, "a"))?.freshUntilMs).toBe(FOREVER);
      await cache.set("a", 1, { ttl: null });
      expect(await raw(cache, "PTTL", String(cache.makeKey("a")))).toBe(-1);
    });
  });

  describe("lifetimes under the herd client", () => {
    const pass = fakeTime();

    it("are told without the grace, and incrVersion does not prolong them", async () => {
      const cache = fleet({ grace: 60 })();
      await cache.set("a", 1, { ttl: 10 });
      await pass(4_000);
      expect(await cache.ttl("a")).toBe(6);
      await cache.incrVersion("a");
      expect(await cache.ttl("a", { version: 2 })).toBe(6);
      await pass(6_000);
      expect(await cache.has("a", { version: 2 })).toBe(false);
      expect(await cache.get("a", { version: 2 })).toBeUndefined();
    });
  });
}
