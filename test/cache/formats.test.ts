import { gzipSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { brotli } from "../../src/compressors/brotli.js";
import { gzip, zlib } from "../../src/compressors/deflate.js";
import { zstd } from "../../src/compressors/zstd.js";
import { type Cache, type CacheOptions, createCache, DecodeError, EncodeError, json, memory } from "../../src/index.js";
import { msgpack } from "../../src/serializers/msgpack.js";
import { structuredClone } from "../../src/serializers/structured-clone.js";
import { raw } from "../contract/cache/stored.js";

/** Caches over one store, each with formats of its own. */
function caches(): (options?: Partial<CacheOptions>) => Cache {
  const connectionFactory = memory();
  return (options) => createCache({ location: "memory:", connectionFactory, ...options });
}

const LONG = { text: "0123456789".repeat(50), list: [1, "1", null] };
const COMPRESSORS = [zlib(), gzip(), brotli(), zstd()];
const SERIALIZERS = [json(), msgpack(), structuredClone()];

describe.each(SERIALIZERS.flatMap((serializer) => COMPRESSORS.map((compressor) => ({ serializer, compressor }))))(
  "a cache with $serializer.name and $compressor.name",
  (formats) => {
    it("gives back values of every size, alone and in bulk, in sets and in hashes", async () => {
      const cache = caches()(formats);
      for (const value of [LONG, "short", "", null, true, 12, "12", 1.5, 2n ** 60n, [LONG, LONG]]) {
        await cache.set("a", value);
        expect(await cache.get("a")).toEqual(value);
        expect(await cache.getMany(["a"])).toEqual(new Map([["a", value]]));
        await cache.hashes.set("h", "field", value);
        expect(await cache.hashes.get("h", "field")).toEqual(value);
        await cache.sets.add("s", [value]);
        expect(await cache.sets.pop("s")).toEqual(value);
      }
    });

    it("stores long values shorter than they are, and numbers so that they can be counted", async () => {
      const cache = caches()(formats);
      await cache.set("a", LONG);
      expect(await raw(cache, "STRLEN", ":1:a")).toBeLessThan(200);
      await cache.set("n", 5);
      expect(await cache.incr("n")).toBe(6);
    });

    it("takes what was cut short for no value, and says so", async () => {
      const cache = caches()(formats);
      await cache.set("a", LONG);
      const stored = (await raw(cache, "GET", ":1:a")) as Uint8Array;
      await raw(cache, "SET", ":1:a", stored.subarray(0, stored.length - 5));
      await expect(cache.get("a")).rejects.toThrow(DecodeError);
      await expect(cache.get("a")).rejects.toThrow(":1:a");
      expect(await cache.getOrSet("a", () => "again")).toBe("again");
    });
  },
);

describe("a cache", () => {
  it("with structuredClone() gives back what JSON lacks", async () => {
    const cache = caches()({ serializer: structuredClone() });
    const value = { map: new Map([[1, new Set(["a"])]]), date: new Date(0), big: 5n, bytes: new Uint8Array([1, 2]) };
    await cache.set("a", value);
    expect(await cache.get("a")).toEqual(value);
    await cache.set("nan", Number.NaN);
    expect(await cache.get("nan")).toBeNaN();
  });

  it("reads what another one stored without compression, and with the other's compressor it says what is wrong", async () => {
    const open = caches();
    await open().set("plain", LONG);
    await open({ compressor: zlib() }).set("zlib", LONG);
    expect(await open({ compressor: zlib() }).get("plain")).toEqual(LONG);
    await expect(open({ compressor: gzip() }).get("zlib")).rejects.toThrow(/:1:zlib.*json with gzip/);
    await expect(open().get("zlib")).rejects.toThrow(DecodeError);
    await expect(open({ serializer: msgpack() }).get("plain")).rejects.toThrow(DecodeError);
  });

  it("takes a value of another serializer for a miss, if errors are ignored", async () => {
    const open = caches();
    await open({ serializer: msgpack() }).set("a", { n: 1 });
    const onError = vi.fn();
    const cache = open({ ignoreErrors: true, onError });
    expect(await cache.get("a", { default: "default" })).toBe("default");
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(DecodeError), { method: "get", key: ":1:a" });
  });

  it("refuses a value that would grow beyond maxDecompressedSize, and takes one that just fits", async () => {
    const open = caches();
    const [bomb, fits] = ["x".repeat(50_000_000), "x".repeat(998)];
    const cache = open({ compressor: gzip(), maxDecompressedSize: 1_000 });
    await raw(cache, "SET", ":1:bomb", gzipSync(JSON.stringify(bomb)));
    await raw(cache, "SET", ":1:fits", gzipSync(JSON.stringify(fits)));
    await expect(cache.get("bomb")).rejects.toThrow(DecodeError);
    expect(await cache.get("fits")).toBe(fits);
  });

  it("takes a serializer and a compressor of the user's own", async () => {
    const serializer = {
      name: "reversed",
      text: true,
      serialize: (value: unknown) => [...JSON.stringify(value)].reverse().join(""),
      deserialize: (stored: string | Uint8Array): unknown =>
        JSON.parse([...(typeof stored === "string" ? stored : new TextDecoder().decode(stored))].reverse().join("")),
    };
    const compressor = {
      name: "inverted",
      minLength: 0,
      compress: (bytes: Uint8Array) => bytes.map((byte) => 255 - byte),
      decompress: (bytes: Uint8Array) => bytes.map((byte) => 255 - byte),
      recognizes: () => true,
    };
    const cache = caches()({ serializer, compressor });
    await cache.set("a", { b: ["c"] });
    expect(await cache.get("a")).toEqual({ b: ["c"] });
    const stored = (await raw(cache, "GET", ":1:a")) as Uint8Array;
    expect(new TextDecoder().decode(stored.map((byte) => 255 - byte))).toBe('}]"c"[:"b"{');
    await expect(cache.set("a", 2n ** 64n)).resolves.toBe(true);
    await expect(cache.set("a", 1n)).rejects.toThrow(EncodeError);
    await expect(cache.set("a", { n: 1n })).rejects.toThrow(EncodeError);
  });
});
